"""A segment that is there and cannot be had for a while is not gone: what the ledgers know of it is kept, and when it can be had
again nothing of it is lost or stands twice."""

import os
import subprocess
import time

import pytest

from metrics import Metric
from processes import send, stop
from waiting import until

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
