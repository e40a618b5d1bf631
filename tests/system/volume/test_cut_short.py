"""A segment that somebody cuts short: while it is written and read, nobody dies of it; what was left of it is merged."""

import os
import time

import pytest

from metrics import Metric
from processes import is_running, resume, stop
from test_damage import HEADER_BYTES, SET_ASIDE, text_of
from waiting import until


@pytest.mark.parametrize("size", [0, HEADER_BYTES + 2000, 8 << 20], ids=["nothing", "records", "room"])
def test_live_segment(stage, size):
    """The open segment of a worker that lives is cut short between two calls: the collector goes on, the worker begins
    another segment, and what had been merged, or comes afterwards, stands in the output once."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    before = [client.send(Metric("a.txt", f"b-{number}")) for number in range(50)]
    adapter.wait_output("a.txt", text_of(before))
    collector, worker = adapter.collector(), adapter.workers()[0]
    (name,) = adapter.segment_files()
    os.truncate(adapter.segments / name, size)
    time.sleep(1.1)  # so often a worker looks whether its segment is whole
    after = [client.send(Metric("a.txt", f"a-{number}")) for number in range(50)]
    adapter.wait_log("the open segment was removed or truncated by somebody else")
    adapter.wait_output("a.txt", text_of(before + after))
    until(adapter.quarantined, "the file in quarantine/")
    assert adapter.wait_log(SET_ASIDE)[0].fields["segment"].startswith(name.split(".")[0])
    assert is_running(collector) and is_running(worker)
    adapter.drain()
    assert adapter.output("a.txt") == text_of(before + after)


def test_backlog_that_is_cut_short(stage):
    """A segment that holds what is not merged yet is cut short under a collector that has read half of it: what is left
    is merged, the rest is told of with file and offset."""
    adapter = stage.start({"workers.count": 1, "workers.stall_timeout_ms": 60000})
    client = stage.client(adapter)
    before = [client.send(Metric("a.txt", f"b-{number}")) for number in range(20)]
    adapter.wait_output("a.txt", text_of(before))
    stop(adapter.collector())
    left = [client.send(Metric("a.txt", f"l-{number}", 10)) for number in range(20)]
    (name,) = adapter.segment_files()
    raw = (adapter.segments / name).read_bytes()
    cut = raw.index(b"id:l-10")  # in the middle of this record
    os.truncate(adapter.segments / name, cut)
    time.sleep(1.1)
    resume(adapter.collector())
    after = client.send(Metric("a.txt", "after"))
    adapter.wait_output("a.txt", text_of(before + left[:10] + [after]))
    line = adapter.wait_log(SET_ASIDE)[0]
    assert line.fields["reason"] == "the file was cut short" and line.number("records_before") == 30
    assert HEADER_BYTES < line.number("offset") < cut
    adapter.drain()
    assert [path.read_bytes() for path in adapter.quarantined()] == [raw[:cut]]


def test_cut_between_two_looks(stage):
    """Cut short a moment before the next call, and not only when somebody looks: the store is a fault, the call is refused
    or taken, and the worker lives."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    before = [client.send(Metric("a.txt", f"b-{number}")) for number in range(50)]
    adapter.wait_output("a.txt", text_of(before))
    worker = adapter.workers()[0]
    taken = []
    for number in range(20):
        (name,) = [name for name in adapter.segment_files() if name.endswith(".open")] or [None]
        if name is not None:
            os.truncate(adapter.segments / name, 0)
        metric = Metric(f"c-{number}.txt", f"c-{number}")
        answer = client.call(metric.wire())
        assert answer.ok or answer.status == "UNAVAILABLE", answer
        taken += [metric] if answer.ok else []
        time.sleep(0.12)
    assert len(taken) < 20 and adapter.wait_log("calls are refused")
    assert is_running(worker) and adapter.workers()[0] == worker
    after = until(lambda: client.call(Metric("a.txt", "after").wire()).ok, "a call that is taken")
    adapter.wait_output("a.txt", text_of(before + [Metric("a.txt", "after")]))
    assert after
