"""Somebody takes the lock files away: there is one adapter and one collector all the same."""

import os
import signal
import time

import pytest

from adapter import run_program
from processes import resume, stop
from records import check_exactly_once, idents
from traffic import Sender, stop_all
from waiting import until


def remove(path):
    """Removes it; gone already is fine."""
    path.unlink(missing_ok=True)


def rename(path):
    """Renames it, as somebody who moves lock files aside."""
    if path.exists():
        os.rename(path, path.with_suffix(".aside"))


def sizes(adapter):
    """Bytes of the outputs."""
    return [len(adapter.output(name)) for name in ("a.txt", "b.txt")]


@pytest.mark.parametrize("take_away", [remove, rename])
def test_collector_lock_taken_away(stage, take_away):
    """collector.lock is gone when a reload has another collector begin under load, and the old one is slow to end: nothing
    is lost or doubled."""
    adapter = stage.start({"workers.count": 2, "segments.size_bytes": 64 << 10})
    senders = [Sender(adapter, f"s{number}", ("a.txt", "b.txt")).start() for number in range(4)]
    for count in range(3):
        goal = len(senders[0].acknowledged) + 20
        until(lambda goal=goal: len(senders[0].acknowledged) >= goal, "calls")
        old = adapter.collector()
        stop(old)
        written = sizes(adapter)
        time.sleep(0.1)  # records that are not merged yet
        take_away(adapter.segments / "collector.lock")
        adapter.tell(signal.SIGHUP)
        until(lambda count=count: len(adapter.log.find("waiting for another collector to end")) > count, "the wait")
        assert sizes(adapter) == written
        resume(old)
        until(lambda written=written: sizes(adapter) > written, "records of the new collector")
    stop_all(senders)
    adapter.drain()
    sent = {ident: metric for sender in senders for ident, metric in sender.sent.items()}
    acknowledged = [ident for sender in senders for ident in sender.acknowledged]
    found = [ident for name in ("a.txt", "b.txt") for ident in idents(adapter.output(name), sent)]
    check_exactly_once(found, acknowledged, list(sent))


def test_lock_taken_away_and_another_root(stage):
    """`lock` is gone, and the second adapter would write somewhere else: it is refused, since a collector is there."""
    adapter = stage.start({"workers.count": 1})
    remove(adapter.segments / "lock")
    (adapter.home / "other").mkdir()
    second = run_program("-s", f"output.root={adapter.home}/other", "-s", f"segments.directory={adapter.segments}",
                         "-s", "listen.port=0")
    assert second.returncode == 75
    assert f"segments.directory: \"{adapter.segments}\" is in use by another adapter" in second.stderr


@pytest.mark.parametrize("take_away", [remove, rename])
def test_lock_taken_away(stage, take_away):
    """`lock` is gone when a second adapter is started: it is refused, and names the first."""
    adapter = stage.start({"workers.count": 1})
    take_away(adapter.segments / "lock")
    second = run_program("-s", f"output.root={adapter.root}", "-s", "listen.port=0")
    assert second.returncode == 75
    assert f"is in use by another adapter, pid {adapter.pid}" in second.stderr
