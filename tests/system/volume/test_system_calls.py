"""The order of system calls in which a record becomes safe, pinned: the promises hang on it, and no other test would notice
every wrong one. A change that is meant changes the lists in system_calls/ too."""

import pytest

from adapter import REPOSITORY, SANITIZED
from metrics import Metric
from strace import Trace

SETTINGS = {"workers.count": 1, "segments.size_bytes": 65536}
BOTH = pytest.mark.parametrize("durability", ["process", "machine"])
pytestmark = pytest.mark.skipif(SANITIZED, reason="LeakSanitizer does not work under a tracer")


def check(trace, name):
    """Compares what a process did with the list of that name."""
    text = (REPOSITORY / f"tests/system/volume/system_calls/{name}.txt").read_text(encoding="utf-8")
    assert trace.lines() == [line for line in text.splitlines() if not line.startswith("#")]


def call(stage, adapter, metric, text=b""):
    """One call on a connection of its own; returns what stands in the output when it is merged."""
    stage.client(adapter).send(metric)
    adapter.wait_output(metric.path, text + metric.text())
    return text + metric.text()


@BOTH
def test_worker(stage, durability):
    """A call, one that needs a new segment, and a drain."""
    adapter = stage.start({**SETTINGS, "segments.durability": durability})
    worker = adapter.workers()[0]
    with Trace(adapter, worker) as trace:
        text = call(stage, adapter, Metric("a.txt", "first"))
        call(stage, adapter, Metric("a.txt", "second", 1, 65000), text)
        adapter.drain()
    check(trace, f"worker-{durability}")


@BOTH
def test_collector(stage, durability):
    """The first record of an output, another one, and a drain."""
    adapter = stage.start({**SETTINGS, "segments.durability": durability})
    collector = adapter.collector()
    with Trace(adapter, collector) as trace:
        text = call(stage, adapter, Metric("new/a.txt", "first"))
        call(stage, adapter, Metric("new/a.txt", "second"), text)
        adapter.drain()
    check(trace, f"collector-{durability}")
