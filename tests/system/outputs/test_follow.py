"""The collector follows: when all is idle, a record stands in its file within 50 ms of the answer."""

import statistics
import time

import pytest

from adapter import SANITIZED
from metrics import Metric

ROUNDS = 9
FOLLOW_MS_MAX = 150 if SANITIZED else 50


def follow_ms(adapter, client, number):
    """Milliseconds from the answer until the record stands in the file."""
    metric = Metric("a.txt", f"n-{number}")
    path = adapter.root / "a.txt"
    before = path.stat().st_size if path.exists() else 0
    client.send(metric)
    answered = time.monotonic()
    while not path.exists() or path.stat().st_size < before + len(metric.text()):
        assert time.monotonic() < answered + 10, "the record does not come"
        time.sleep(0.0005)
    return (time.monotonic() - answered) * 1000


@pytest.mark.parametrize("idle", [0.05, 0.35, 1.3], ids=["just-now", "asleep", "at-rest"])
def test_record_follows_the_answer(stage, idle):
    """The median of several calls, each after a pause: one in which the collector is still awake, one after which it
    sleeps, one after which it has let go of its files."""
    adapter = stage.start()
    client = stage.client(adapter)
    times = []
    for number in range(ROUNDS if idle < 1 else 3):
        time.sleep(idle)
        times.append(follow_ms(adapter, client, number))
    assert statistics.median(times) <= FOLLOW_MS_MAX, times


def test_idle_adapter_costs_nothing(stage):
    """Without calls the processes sleep: far less than a tenth of a second of CPU time in a second."""
    adapter = stage.start()
    stage.client(adapter).send(Metric("a.txt", "a"))
    time.sleep(0.5)
    before = cpu_ticks(adapter)
    time.sleep(1.0)
    assert cpu_ticks(adapter) - before <= 10, "hundredths of a second"


def cpu_ticks(adapter):
    """CPU time that all its processes have used, in clock ticks."""
    total = 0
    for pid in adapter.processes():
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total
