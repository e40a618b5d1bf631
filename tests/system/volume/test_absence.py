"""A segment that is there and cannot be had for a while is not gone: what the ledgers know of it is kept, and when it can be had
again nothing of it is lost or stands twice. One that is gone at a start is forgotten."""

import os
import shutil
import subprocess
import time

import pytest

from adapter import SANITIZED
from death import BEFORE_DELIVERY, DELIVERED
from ledgers import ledgers_of
from metrics import Metric
from processes import send, stop
from test_exactly_once import go_on, leave_batch
from waiting import until

traced = pytest.mark.skipif(SANITIZED, reason="LeakSanitizer does not work under a tracer")

COUNT = 8

# Longer than the time after which a segment without a name counts as removed.
A_WHILE = 4.0


def text_of(metrics):
    """What they become."""
    return b"".join(metric.text() for metric in metrics)


class Immutable:
    """chattr +i: no name of the file can be changed, and nobody can open it for writing."""

    @staticmethod
    def begin(path):
        """Makes it so, or skips the test."""
        if subprocess.run(["chattr", "+i", path], capture_output=True, check=False).returncode != 0:
            pytest.skip("chattr +i needs root and a file system that has it")

    @staticmethod
    def end(path):
        """Takes it back."""
        subprocess.run(["chattr", "-i", path], check=True)


class Unreadable:
    """chmod 000, for an adapter that is not root: nobody can open the file."""

    @staticmethod
    def begin(path):
        """Makes it so."""
        path.chmod(0)

    @staticmethod
    def end(path):
        """Takes it back."""
        path.chmod(0o600)


@pytest.fixture(name="hindrance", params=[Immutable, Unreadable])
def a_hindrance(request):
    """A way to keep the collector from a segment."""
    return request.param


def start(stage, hindrance):
    """An adapter whom that hinders."""
    adapter = stage.adapter({"workers.count": 1})
    return (adapter if hindrance is Immutable else stage.drop_root(adapter)).start()


def test_segment_that_cannot_be_had(stage, hindrance):
    """Its worker dies, so that the segment is to be taken over, and that is refused for a while, during which the output goes
    on with records of another one, and the collector is replaced. Some of its records are delivered, others wait."""
    adapter = start(stage, hindrance)
    client = stage.client(adapter)
    metrics = [client.send(Metric("a.txt", f"old-{number}")) for number in range(COUNT)]
    adapter.wait_output("a.txt", text_of(metrics))
    stop(adapter.collector())
    waiting = [client.send(Metric("a.txt", f"waiting-{number}")) for number in range(COUNT)]
    path = adapter.segments / adapter.segment_files()[0]
    hindrance.begin(path)
    try:
        send(adapter.workers()[0])
        adapter.wait_log("worker ready", 2)
        send(adapter.collector())
        adapter.wait_log("collector started", 2)
        new = [stage.client(adapter).send(Metric("a.txt", f"new-{number}")) for number in range(COUNT)]
        adapter.wait_output("a.txt", text_of(metrics + new))
        adapter.wait_log("cannot remove or set aside a segment")
        time.sleep(A_WHILE)
        new.append(stage.client(adapter).send(Metric("a.txt", "newer")))
        adapter.wait_output("a.txt", text_of(metrics + new))
        send(adapter.collector())
        adapter.wait_log("collector started", 3)
    finally:
        hindrance.end(path)
    until(lambda: len(adapter.output("a.txt")) == len(text_of(metrics + new + waiting)), adapter.complaint)
    adapter.drain()
    assert adapter.output("a.txt") == text_of(metrics + new + waiting)
    assert adapter.quarantined() == []


def test_segment_renamed_and_renamed_back(stage):
    """Somebody renames the open segment and gives it its name back before anybody concludes from it: as if nothing was."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    metrics = [client.send(Metric("a.txt", "first"))]
    path = adapter.segments / adapter.segment_files()[0]
    os.rename(path, adapter.segments / "kept")
    metrics.append(client.send(Metric("a.txt", "second")))
    send(adapter.collector())
    adapter.wait_log("collector started", 2)
    os.rename(adapter.segments / "kept", path)
    metrics.append(client.send(Metric("a.txt", "third")))
    adapter.drain()
    assert adapter.output("a.txt") == text_of(metrics)
    assert adapter.quarantined() == []


def test_segment_renamed_back_late(stage):
    """The same when it counts as removed by then: its records are written a second time."""
    adapter = stage.start({"workers.count": 1})
    first = stage.client(adapter).send(Metric("a.txt", "first"))
    adapter.wait_output("a.txt", first.text())
    path = adapter.segments / adapter.segment_files()[0]
    os.rename(path, adapter.segments / "kept")
    adapter.wait_log("a segment was removed by somebody else")
    os.rename(adapter.segments / "kept", path)
    adapter.wait_output("a.txt", text_of([first, first]))
    adapter.drain()
    assert adapter.output("a.txt") == text_of([first, first])
    assert adapter.quarantined() == []


@traced
@pytest.mark.parametrize("place, times", [(BEFORE_DELIVERY, 0), (DELIVERED, 1)], ids=["before-delivery", "delivered"])
def test_segment_without_its_name_at_the_start(stage, place, times):
    """It has another name when the adapter starts, and gets its own back when all about it is forgotten: all of its records are
    written then, a second time those that were delivered."""
    adapter, first, batch = leave_batch(stage, place)
    name, = adapter.segment_files()
    os.rename(adapter.segments / name, adapter.segments / "kept")
    adapter.start()
    until(lambda: not ledgers_of(adapter), "the ledger to be removed")
    adapter.drain()
    assert adapter.output("a.txt") == text_of([first, *batch * times])
    os.rename(adapter.segments / "kept", adapter.segments / name)
    go_on(stage, adapter, text_of([first, *batch * times, first, *batch]))


@traced
@pytest.mark.parametrize("place, times", [(BEFORE_DELIVERY, 0), (DELIVERED, 1)], ids=["before-delivery", "delivered"])
@pytest.mark.parametrize("what", ["segment", "directory"])
def test_removed_after_a_death(stage, what, place, times):
    """The segment, or the segment directory (`git clean`, `find -delete` of what is hidden), is removed after a death: what was
    not delivered is gone with it, and nothing else."""
    adapter, first, batch = leave_batch(stage, place)
    if what == "directory":
        shutil.rmtree(adapter.segments)
    else:
        (adapter.segments / adapter.segment_files()[0]).unlink()
    go_on(stage, adapter, text_of([first, *batch * times]))
