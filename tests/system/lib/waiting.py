"""Waiting for a condition, never for a time."""

import time

PATIENCE = 20.0


def until(condition, what, seconds=PATIENCE, pause=0.01):
    """Returns the first true value of condition(); fails after `seconds`, saying `what` was waited for.

    `what` is a text, or a function that makes one when it is needed.
    """
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= deadline:
            words = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {words}")
        time.sleep(pause)
