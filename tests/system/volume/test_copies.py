"""Copies of the volume, or of a part of it, that are put back or started, some of them older than the rest. What was delivered
stands twice where the copy knows nothing of that, and is gone where the copy is of an output and older."""

import os
import shutil

import pytest

from adapter import SANITIZED
from death import BEFORE_DELIVERY, DELIVERED, EVERYWHERE
from ledgers import ledgers_of, start_settled, wait_settled
from metrics import Metric
from processes import resume, stop
from test_exactly_once import go_on, leave_batch, text_of
from waiting import until

traced = pytest.mark.skipif(SANITIZED, reason="LeakSanitizer does not work under a tracer")


def put_back(kept, path):
    """The copy takes the place of what is there."""
    shutil.rmtree(path)
    shutil.copytree(kept, path, symlinks=True)


def leave_waiting(stage):
    """An adapter of which everything was killed; its first record is delivered, a second one waits. Returns both, too."""
    adapter, client, first = start_settled(stage)
    stop(adapter.collector())
    waiting = client.send(Metric("a.txt", "waiting"))
    adapter.kill_all()
    return adapter, first, waiting


# ---- segments


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_merged_segment_put_back(stage, running):
    """Its records come a second time, and only they."""
    adapter = stage.start({"workers.count": 1})
    stop(adapter.collector())
    metrics = [stage.client(adapter).send(Metric("a.txt", f"n-{number}")) for number in range(3)]
    name, = adapter.segment_files()
    shutil.copy(adapter.segments / name, adapter.home / "kept")
    resume(adapter.collector())
    adapter.wait_output("a.txt", text_of(metrics))
    adapter.drain()
    if running:
        adapter.start()
    shutil.copy(adapter.home / "kept", adapter.segments / "kept")
    os.rename(adapter.segments / "kept", adapter.segments / name.replace(".open", ".sealed"))
    if not running:
        adapter.start()
    adapter.wait_output("a.txt", text_of(metrics * 2))
    adapter.drain()
    assert adapter.output("a.txt") == text_of(metrics * 2) and adapter.quarantined() == []


def test_hard_links_of_segments(stage):
    """A link under any name is nobody's; one under another segment's name is set aside, since its header names it otherwise.
    The segment itself is merged once, and what has the other name is still whole."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    metrics = [client.send(Metric("a.txt", "first"))]
    adapter.wait_output("a.txt", text_of(metrics))
    name, = adapter.segment_files()
    os.link(adapter.segments / name, adapter.home / "backup")
    os.link(adapter.segments / name, adapter.segments / "00007-0000000001-0000000000.open")
    metrics.append(client.send(Metric("a.txt", "second")))
    adapter.wait_output("a.txt", text_of(metrics))
    adapter.drain()
    assert adapter.output("a.txt") == text_of(metrics)
    aside, = adapter.quarantined()
    assert aside.samefile(adapter.home / "backup") and metrics[1].text() in aside.read_bytes()


def test_segment_directory_restored(stage):
    """The segment directory alone comes from a backup: what was delivered since of the segments in it is written a second
    time, and what its ledgers know of is not."""
    adapter, first, waiting = leave_waiting(stage)
    shutil.copytree(adapter.segments, adapter.home / "backup")
    adapter.start()
    adapter.wait_output("a.txt", text_of([first, waiting]))
    later = stage.client(adapter).send(Metric("a.txt", "later"))
    adapter.drain()
    put_back(adapter.home / "backup", adapter.segments)
    go_on(stage, adapter, text_of([first, waiting, later, waiting]))


@traced
def test_segment_directory_of_a_death_restored(stage):
    """The same where its ledger tells of an unfinished batch: that is compared, and it stands."""
    adapter, first, batch = leave_batch(stage, DELIVERED)
    shutil.copytree(adapter.segments, adapter.home / "backup")
    adapter.start()
    later = stage.client(adapter).send(Metric("a.txt", "later"))
    adapter.drain()
    put_back(adapter.home / "backup", adapter.segments)
    go_on(stage, adapter, text_of([first, *batch, later]))


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_segment_directory_behind_a_link(stage, running):
    """The segment directory is moved elsewhere, and a link leads to it from its place: nothing is lost or doubled. Where it is
    copied and not renamed, as to another file system, the adapter must be stopped."""
    adapter, first, waiting = leave_waiting(stage)
    elsewhere = adapter.home / "elsewhere"
    if running:
        adapter.start()
        adapter.wait_output("a.txt", text_of([first, waiting]))
        os.rename(adapter.segments, elsewhere)
    else:
        shutil.copytree(adapter.segments, elsewhere)
        shutil.rmtree(adapter.segments)
    adapter.segments.symlink_to(elsewhere)
    if not running:
        adapter.start()
    more = Metric("a.txt", "more")
    client = stage.client(adapter)
    until(lambda: client.call(more.wire()).ok, "the directory to be in its place again")
    adapter.wait_output("a.txt", text_of([first, waiting, more]))
    adapter.kill_all()
    adapter.start()
    adapter.drain()
    assert adapter.output("a.txt") == text_of([first, waiting, more]) and adapter.quarantined() == []


# ---- outputs


@traced
@pytest.mark.parametrize("place", [BEFORE_DELIVERY, DELIVERED], ids=["before-delivery", "delivered"])
def test_outputs_restored(stage, place):
    """The outputs alone come from a backup: what was delivered since it was made is gone, but for the unfinished batch, which
    is written again whole."""
    adapter, first, batch = leave_batch(stage, place)
    (adapter.root / "a.txt").unlink()
    (adapter.root / "a.txt").write_bytes(first.text()[:100])
    go_on(stage, adapter, first.text()[:100] + text_of(batch))


def test_old_output_put_back(stage):
    """The same under a running adapter: records follow on what the copy has."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    first = client.send(Metric("a.txt", "first"))
    adapter.wait_output("a.txt", first.text())
    shutil.copy(adapter.root / "a.txt", adapter.root / "backup")
    second = client.send(Metric("a.txt", "second"))
    adapter.wait_output("a.txt", text_of([first, second]))
    os.rename(adapter.root / "backup", adapter.root / "a.txt")
    third = client.send(Metric("a.txt", "third"))
    adapter.wait_output("a.txt", text_of([first, third]))


def test_output_linked_in_a_backup(stage):
    """`cp -al` gives an output a second name that is no output: records go on under both, until one of them is taken away."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    first, second = client.send(Metric("a.txt", "first")), Metric("a.txt", "second")
    adapter.wait_output("a.txt", first.text())
    (adapter.root / "backup").mkdir()
    os.link(adapter.root / "a.txt", adapter.root / "backup/a.txt")
    client.send(second)
    adapter.wait_output("backup/a.txt", text_of([first, second]))
    (adapter.root / "a.txt").unlink()
    third = client.send(Metric("a.txt", "third"))
    adapter.wait_output("a.txt", third.text())
    assert adapter.output("backup/a.txt") == text_of([first, second])


# ---- the whole volume


@traced
@pytest.mark.parametrize("place", EVERYWHERE, ids=["-".join(map(str, place)) for place in EVERYWHERE])
def test_both_copies_started(stage, place):
    """The volume is copied after the death, and an adapter started on either: each completes the batch in its own output."""
    adapter, first, batch = leave_batch(stage, place)
    other = stage.adapter({"workers.count": 1})
    shutil.copytree(adapter.root, other.root, symlinks=True)
    adapter.start()
    other.start()
    for one in (adapter, other):
        one.wait_output("a.txt", text_of([first, *batch]))
        one.kill_all()
        go_on(stage, one, text_of([first, *batch]))


@pytest.mark.parametrize("what_first", ["output", "ledger"])
def test_copied_while_it_runs(stage, what_first):
    """What is delivered between the copying of an output and that of its ledger is missing in the copy, or stands twice; what
    was delivered before, and what comes later, stands once."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    metrics = [client.send(Metric("a.txt", "before"))]
    adapter.wait_output("a.txt", text_of(metrics))
    wait_settled(adapter)
    ledger, = ledgers_of(adapter)
    copied_first = adapter.root / "a.txt" if what_first == "output" else ledger
    shutil.copy(copied_first, adapter.home / "first")
    between = client.send(Metric("a.txt", "between"))
    adapter.wait_output("a.txt", text_of([*metrics, between]))
    wait_settled(adapter)
    copy = stage.adapter({"workers.count": 1})
    shutil.copytree(adapter.root, copy.root, symlinks=True)
    shutil.copy(adapter.home / "first", copy.root / copied_first.relative_to(adapter.root))
    adapter.drain()
    go_on(stage, copy, text_of(metrics if what_first == "output" else [*metrics, between, between]))
