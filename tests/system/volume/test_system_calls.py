"""The order of system calls in which a record becomes safe, pinned: the promises hang on it, and no other test would notice
every wrong one. A change that is meant changes the lists in system_calls/ too."""

import os
import signal

import pytest

from adapter import REPOSITORY, SANITIZED
from death import DELIVERED
from ledgers import ledgers_of
from metrics import Metric
from processes import resume, stop
from strace import Trace, TraceOfStart
from test_exactly_once import leave_batch, text_of
from waiting import until

SETTINGS = {"workers.count": 1, "segments.size_bytes": 65536}
BOTH = pytest.mark.parametrize("durability", ["process", "machine"])
pytestmark = pytest.mark.skipif(SANITIZED, reason="LeakSanitizer does not work under a tracer")


# What syncs the segments of the two calls of test_worker(); the one between them is too small for the second call.
WITH_RECORDS = ("fdatasync segment 0 .open", "fdatasync segment 2 .open")


SYNC = "fsync segments.directory"


def is_removal(line):
    """Whether a segment is removed."""
    return line.startswith("unlinkat segment ")


def in_one_go(lines):
    """Segments that are removed one right after the other, as if the collector had met them in one pass: the directory is
    synced once behind them."""
    kept = []
    for line in lines:
        if is_removal(line) and kept[-1:] == [SYNC] and kept[-2:-1] and is_removal(kept[-2]):
            kept.pop()
        if line != SYNC or kept[-1:] != [SYNC]:
            kept.append(line)
    return kept


def without(lines, empty):
    """Leaves out segments without a record, by their numbers: when they are seen to is a matter of chance. So is the sync of
    the directory behind their removal, unless another removal needs it."""
    kept = []
    left_out = False
    for line in lines:
        if any(f"segment {number} " in line for number in empty):
            left_out = True
        elif line == SYNC and left_out and not (kept and is_removal(kept[-1])):
            left_out = False
        else:
            left_out = False
            kept.append(line)
    return kept


def check(lines, name, empty=()):
    """Compares what a process did with the list of that name, but for segments without a record."""
    text = (REPOSITORY / f"tests/system/volume/system_calls/{name}.txt").read_text(encoding="utf-8")
    assert in_one_go(without(lines, empty)) == [line for line in text.splitlines() if not line.startswith("#")]


def call(stage, adapter, metric, text=b""):
    """One call on a connection of its own; returns what stands in the output when it is merged."""
    stage.client(adapter).send(metric)
    adapter.wait_output(metric.path, text + metric.text())
    return text + metric.text()


@BOTH
def test_worker(stage, durability):
    """A call, one that needs a new segment, and a drain. With "machine" segments are made and sealed in a thread of their own,
    and synced in another; no answer leaves before its record is on the disk."""
    adapter = stage.start({**SETTINGS, "segments.durability": durability})
    worker = adapter.workers()[0]
    with Trace(adapter, worker) as trace:
        text = call(stage, adapter, Metric("a.txt", "first"))
        call(stage, adapter, Metric("a.txt", "second", 1, 65000), text)
        adapter.drain()
    if durability == "process":
        check(trace.lines(), "worker-process")
        return
    check(trace.lines_by_thread(), "worker-machine", empty=(1, 3))
    synced = [line for line in trace.lines() if line in ("answer", *WITH_RECORDS)]
    assert synced[:5] == [WITH_RECORDS[0], "answer", *WITH_RECORDS, "answer"]


@BOTH
def test_collector(stage, durability):
    """The first record of an output, another one, and a drain."""
    adapter = stage.start({**SETTINGS, "segments.durability": durability})
    collector = adapter.collector()
    with Trace(adapter, collector) as trace:
        text = call(stage, adapter, Metric("new/a.txt", "first"))
        call(stage, adapter, Metric("new/a.txt", "second"), text)
        adapter.drain()
    check(trace.lines(), f"collector-{durability}", empty=(1,))


@pytest.mark.parametrize("before, after", [("process", "process"), ("machine", "machine"), ("machine", "process")])
def test_collector_that_finds_a_batch(stage, before, after):
    """A start after everything died inside a batch, of which the end is missing, and a drain. The durability with which a
    record was acknowledged stays with it: a start with less does for it what it was promised."""
    adapter, first, batch = leave_batch(stage, DELIVERED, {**SETTINGS, "segments.durability": before})
    os.truncate(adapter.root / "a.txt", len(first.text() + text_of(batch)) - 10)
    found = {*adapter.segment_files(), *(path.name for path in ledgers_of(adapter))}
    found |= {name.replace(".open", ".sealed") for name in found}
    trace = TraceOfStart(adapter, after)
    trace.segments = found
    adapter.start()
    adapter.wait_output("a.txt", first.text() + text_of(batch))
    until(lambda: not found & {path.name for path in adapter.segments.iterdir()}, adapter.complaint)
    adapter.drain()
    trace.choose(adapter.collector())
    check(trace.lines(), f"recovery-{before}" + (f"-then-{after}" if after != before else ""))


def test_reload_to_less(stage):
    """A reload from "machine" to "process" while records wait: the collector that comes then does for them what they were
    promised. What comes later is "process"."""
    adapter = stage.adapter(SETTINGS)
    adapter.configuration.write_text('segments: { durability = "machine"; };')
    adapter.start()
    client = stage.client(adapter)
    stop(adapter.collector())
    waiting = [client.send(Metric("a.txt", f"waiting-{number}")) for number in range(2)]
    (adapter.root / "a.txt").mkdir()
    resume(adapter.collector())
    adapter.wait_log("cannot write an output; its records are kept and tried again", output="a.txt")
    old = adapter.segment_files()
    adapter.configuration.write_text('segments: { durability = "process"; };')
    adapter.tell(signal.SIGHUP)
    adapter.wait_log("taken over")
    collector = until(lambda: next((line.number("child_pid") for line in adapter.log.find("collector ready")[1:]), None),
                      adapter.complaint)
    until(lambda: [name.replace(".open", ".sealed") for name in old][0] in adapter.segment_files(), adapter.complaint)
    with Trace(adapter, collector) as trace:
        (adapter.root / "a.txt").rmdir()
        adapter.wait_output("a.txt", text_of(waiting))
        until(lambda: not ledgers_of(adapter), adapter.complaint)
        later = stage.client(adapter).send(Metric("a.txt", "later"))
        adapter.wait_output("a.txt", text_of([*waiting, later]))
        adapter.drain()
    check(trace.lines(), "reload-machine-then-process", empty=(1,))
