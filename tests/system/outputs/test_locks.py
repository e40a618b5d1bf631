"""Somebody takes the lock files away: there is one adapter and one collector all the same."""

import fcntl
import os
import signal
import time

import pytest

from adapter import run_program
from metrics import Metric
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


def test_content_of_lock_changed(stage):
    """The lock counts, and not what stands in it: a second start is refused, and names whom the file names. `status` finds the
    adapter all the same."""
    adapter = stage.start({"workers.count": 1})
    (adapter.segments / "lock").write_text(f"{os.getpid()}\n")
    second = run_program("-s", f"output.root={adapter.root}", "-s", "listen.port=0")
    assert second.returncode == 75 and f"is in use by another adapter, pid {os.getpid()}" in second.stderr
    assert run_program("status", adapter.root).returncode == 0
    metric = stage.client(adapter).send(Metric("a.txt", "served"))
    adapter.wait_output("a.txt", metric.text())


@pytest.mark.parametrize("name", ["", ".mygrpcadapter/lock"], ids=["output.root", "lock"])
def test_lock_of_somebody_else(stage, name):
    """Somebody who is no adapter holds the lock, as `flock` of a script does: the start is refused until he lets go. A running
    adapter does not mind him."""
    adapter = stage.start({"workers.count": 1})
    adapter.drain()
    file = os.open(adapter.root / name, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused = run_program("-s", f"output.root={adapter.root}", "-s", "listen.port=0")
        assert refused.returncode == 75 and "is in use by another adapter, pid " in refused.stderr
    finally:
        os.close(file)
    adapter.start()
    metric = stage.client(adapter).send(Metric("a.txt", "served"))
    adapter.wait_output("a.txt", metric.text())


def test_segment_locked_by_somebody_else(stage):
    """Somebody holds the lock of a segment whose writer is dead: it counts as one that is written to. Its records are
    delivered, and it is removed when he lets go."""
    adapter = stage.start({"workers.count": 1})
    stop(adapter.collector())
    metrics = [stage.client(adapter).send(Metric("a.txt", f"n-{number}")) for number in range(3)]
    name, = adapter.segment_files()
    adapter.kill_all()
    with open(adapter.segments / name, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        adapter.start()
        metrics.append(stage.client(adapter).send(Metric("a.txt", "more")))
        until(lambda: len(adapter.output("a.txt")) == sum(len(metric.text()) for metric in metrics), adapter.complaint)
        assert name in adapter.segment_files()
    adapter.drain()
    sent = {metric.ident: metric for metric in metrics}
    check_exactly_once(idents(adapter.output("a.txt"), sent), list(sent), list(sent))
    assert adapter.quarantined() == []


def test_one_root_inside_the_other(stage):
    """Two adapters of which one has a directory of the other as its root do not notice each other."""
    outer = stage.start({"workers.count": 1})
    (outer.root / "inner").mkdir()
    inner = stage.adapter({"workers.count": 1}, root=outer.root / "inner").start()
    for adapter in (outer, inner):
        metric = stage.client(adapter).send(Metric("a.txt", "one"))
        adapter.wait_output("a.txt", metric.text())
    metric = stage.client(outer).send(Metric("inner/a.txt", "two"))
    inner.wait_output("a.txt", Metric("a.txt", "one").text() + metric.text())
