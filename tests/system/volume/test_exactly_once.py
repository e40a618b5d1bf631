"""A collector dies inside a batch, everything else with it, and before the next start somebody has been at the output or the
whole volume. What was acknowledged stands there once, and no byte of anybody else is touched: the next start reads the batch
again from the segments, compares, and writes what is missing."""

import os
import shutil
import time

import pytest

from adapter import SANITIZED
from death import BEFORE_DELIVERY, DELIVERED, EVERYWHERE, Tampering, die_in_a_batch
from ledgers import ledgers_of
from metrics import Metric
from processes import resume, stop
from records import check_exactly_once, idents
from tmpfs import SmallVolume
from waiting import until

pytestmark = pytest.mark.skipif(SANITIZED, reason="LeakSanitizer does not work under a tracer")

COMPLETED = "an unfinished batch is completed"
BESIDE_OTHERS = "an unfinished batch is completed; somebody else has written to the output"
SHORTER = "the output file is shorter than it was; its last batch is written at its end"
REMARK = b"# a remark\n"
COUNT = 8


def text_of(metrics):
    """What they become."""
    return b"".join(metric.text() for metric in metrics)


def send_batch(client, names=("a.txt",), count=COUNT):
    """Makes calls for these outputs in turns."""
    return [client.send(Metric(names[number % len(names)], f"batch-{number}")) for number in range(count)]


def leave_batch(stage, place, settings=None):
    """An adapter that was killed inside a batch, and the metrics: the first one, which stands, and those of the batch."""
    adapter = stage.start({"workers.count": 1, **(settings or {})})
    client = stage.client(adapter)
    first = client.send(Metric("a.txt", "first"))
    adapter.wait_output("a.txt", first.text())
    batch = die_in_a_batch(adapter, lambda: send_batch(client), place)
    written = text_of(batch) if place not in EVERYWHERE[:3] else b""
    assert adapter.output("a.txt") == first.text() + written, "it died elsewhere"
    return adapter, first, batch


def go_on(stage, adapter, expected):
    """The next start brings the output to these bytes. Records follow, and nothing comes again with one more start."""
    adapter.start()
    adapter.wait_output("a.txt", expected)
    more = stage.client(adapter).send(Metric("a.txt", "more"))
    adapter.wait_output("a.txt", expected + more.text())
    adapter.kill_all()
    adapter.start()
    adapter.drain()
    assert adapter.output("a.txt") == expected + more.text()
    assert adapter.quarantined() == []


@pytest.mark.parametrize("place", EVERYWHERE, ids=["-".join(map(str, place)) for place in EVERYWHERE])
@pytest.mark.parametrize("durability", ["process", "machine"])
def test_nobody_does_anything(stage, place, durability):
    """Wherever it dies, the batch stands once."""
    adapter, first, batch = leave_batch(stage, place, {"segments.durability": durability})
    go_on(stage, adapter, first.text() + text_of(batch))


# ---- what stands of the batch


@pytest.mark.parametrize("kept", [0, 1, 0.5, -1], ids=["nothing", "a-byte", "half", "all-but-a-byte"])
def test_part_of_the_batch(stage, kept):
    """A part of the batch is missing at the end, as a full volume or a loss of power leaves it: it is appended, from the very
    byte on."""
    adapter, first, batch = leave_batch(stage, DELIVERED)
    text = text_of(batch)
    size = int(len(text) * kept) if isinstance(kept, float) else kept % len(text)
    os.truncate(adapter.root / "a.txt", len(first.text()) + size)
    go_on(stage, adapter, first.text() + text)
    assert COMPLETED in adapter.log_path(2).read_text()


def test_zeros_in_the_batch(stage):
    """Pages of the batch read as zeros, as a loss of power leaves them: they are written in place."""
    adapter, first, batch = leave_batch(stage, DELIVERED)
    with open(adapter.root / "a.txt", "r+b") as file:
        file.seek(len(first.text()) + 100)
        file.write(bytes(400))
    go_on(stage, adapter, first.text() + text_of(batch))


def test_remark_behind_the_batch(stage):
    """Somebody appends to the output while nothing runs: his remark stays, and so does what was delivered before it."""
    adapter, first, batch = leave_batch(stage, DELIVERED)
    with open(adapter.root / "a.txt", "ab") as file:
        file.write(REMARK)
    go_on(stage, adapter, first.text() + text_of(batch) + REMARK)
    assert BESIDE_OTHERS in adapter.log_path(2).read_text()


def test_remark_behind_a_torn_record(stage):
    """The same where the batch stops inside a record: the torn one stays as it is, since nobody's bytes are ever cut off or
    moved, and is written again whole behind the remark."""
    adapter, first, batch = leave_batch(stage, DELIVERED)
    stands = first.text() + text_of(batch[:3]) + batch[3].text()[:40]
    os.truncate(adapter.root / "a.txt", len(stands))
    with open(adapter.root / "a.txt", "ab") as file:
        file.write(REMARK)
    go_on(stage, adapter, stands + REMARK + text_of(batch[3:]))
    assert BESIDE_OTHERS in adapter.log_path(2).read_text()


def start_with_outputs_on(stage, volume):
    """An adapter with its outputs on that small volume, and its segments elsewhere."""
    adapter = stage.adapter({"workers.count": 1, "segments.directory": stage.home / "segments"},
                            root=volume.root, wrapper=volume.wrapper)
    adapter.seen_root = volume.seen
    return adapter.start()


def test_remark_between_the_look_and_a_short_write(stage):
    """Somebody appends after the collector has looked at the output and before it writes, and the volume takes only a part of
    what it writes then: no byte of either is lost, and no record stands twice."""
    with SmallVolume(stage.home / "small", 1 << 20) as volume:
        adapter = start_with_outputs_on(stage, volume)
        client = stage.client(adapter)
        collector = adapter.collector()
        first = client.send(Metric("a.txt", "first"))
        adapter.wait_output("a.txt", first.text())
        stop(collector)
        metrics = [first, *send_batch(client, count=60)]
        volume.fill(leave_bytes=4096)  # one page more than the output has
        with Tampering(collector, "writev", "delay_enter=500000:when=1", adapter.home / "strace.log") as tampering:
            resume(collector)
            until(lambda: "writev(" in tampering.log.read_text(), "the collector to write")
            with open(volume.seen / "a.txt", "ab") as file:
                file.write(REMARK)
            adapter.wait_log("cannot write an output; its records are kept and tried again", output="a.txt")
        assert adapter.output("a.txt").startswith(first.text() + REMARK + metrics[1].text())
        volume.relieve()
        until(lambda: adapter.output("a.txt").endswith(metrics[-1].text()), adapter.complaint)
        adapter.drain()
        assert adapter.output("a.txt") == first.text() + REMARK + text_of(metrics[1:])


# ---- another file


def replace(adapter, how, content):
    """A stranger's file takes the output's place."""
    output, stranger = adapter.root / "a.txt", adapter.root / "stranger.txt"
    if how == "written":  # often under the same inode number
        output.unlink()
        output.write_bytes(content)
        return
    stranger.write_bytes(content)
    output.unlink()
    {"renamed": os.rename, "linked": os.link, "pointed-to": lambda _, to: os.symlink("stranger.txt", to)}[how](
        stranger, output)


@pytest.mark.parametrize("how", ["written", "renamed", "linked", "pointed-to"])
@pytest.mark.parametrize("place, size", [(BEFORE_DELIVERY, 10), (DELIVERED, 10), (DELIVERED, 5000)])
def test_a_strangers_file_in_its_place(stage, how, place, size):
    """The output is removed after the death, and a stranger's file stands there, smaller or larger: it stays as it is, and the
    batch is written behind it. (What stood in the file that was removed is gone with it.)"""
    adapter, _, batch = leave_batch(stage, place)
    stranger = (b"stranger's bytes, " * size)[:size]
    replace(adapter, how, stranger)
    go_on(stage, adapter, stranger + text_of(batch))


def reuse_inode(adapter, inode, content):
    """Makes a stranger's file that has the inode number of one that was removed, or skips the test."""
    for number in range(200):
        path = adapter.root / f"notes-{number}.txt"
        path.write_bytes(content)
        if path.stat().st_ino == inode:
            return path
    return pytest.skip("this file system does not use a number again at once")


@pytest.mark.parametrize("size", [0, 10, 5000])
@pytest.mark.parametrize("place", [BEFORE_DELIVERY, DELIVERED], ids=["before-delivery", "delivered"])
def test_its_inode_used_again(stage, place, size):
    """The output is removed after the death, and a stranger's file in the same directory gets its number: it is not the output
    under another name, and nothing is written to it."""
    adapter, _, batch = leave_batch(stage, place)
    inode = (adapter.root / "a.txt").stat().st_ino
    (adapter.root / "a.txt").unlink()
    stranger = reuse_inode(adapter, inode, b"s" * size)
    go_on(stage, adapter, text_of(batch))
    assert stranger.read_bytes() == b"s" * size


def test_a_strangers_zeros_in_its_place(stage):
    """A stranger's file of zeros takes the output's place: they are no pages of the batch that a loss of power took. (In a file
    under the output's name that has its inode number, too, nobody could tell, and they are written over.)"""
    adapter, _, batch = leave_batch(stage, DELIVERED)
    replace(adapter, "renamed", bytes(5000))
    adapter.start()
    until(lambda: adapter.output("a.txt").endswith(batch[-1].text()), adapter.complaint)
    assert adapter.output("a.txt") == bytes(5000) + text_of(batch)


def test_output_removed(stage):
    """The output is removed after the death: a new one has the batch."""
    adapter, _, batch = leave_batch(stage, DELIVERED)
    (adapter.root / "a.txt").unlink()
    go_on(stage, adapter, text_of(batch))


@pytest.mark.parametrize("place", EVERYWHERE[1:4], ids=["-".join(map(str, place)) for place in EVERYWHERE[1:4]])
@pytest.mark.parametrize("create", [False, True], ids=["renamed", "and-created"])
def test_output_renamed(stage, place, create):
    """logrotate comes after the death, and perhaps makes an empty file in its place: the batch is completed in the renamed file,
    in which it was begun."""
    adapter, first, batch = leave_batch(stage, place)
    os.rename(adapter.root / "a.txt", adapter.root / "a.txt.1")
    if create:
        (adapter.root / "a.txt").touch()
    adapter.start()
    more = stage.client(adapter).send(Metric("a.txt", "more"))
    adapter.drain()
    assert adapter.output("a.txt.1") + adapter.output("a.txt") == first.text() + text_of(batch) + more.text()


@pytest.mark.parametrize("place", [(call, number) for call, most in (("pwrite64", 8), ("writev", 2))
                                   for number in range(1, most + 1)])
def test_two_names_of_one_file(stage, place):
    """a.txt and b.txt are one file; both have a batch, and the collector dies in the one or the other."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    (adapter.root / "a.txt").touch()
    os.link(adapter.root / "a.txt", adapter.root / "b.txt")
    metrics = [client.send(Metric(name, name)) for name in ("a.txt", "b.txt")]
    until(lambda: len(adapter.output("a.txt")) == len(text_of(metrics)), adapter.complaint)
    metrics += die_in_a_batch(adapter, lambda: send_batch(client, ("a.txt", "b.txt")), place)
    adapter.start()
    metrics += [stage.client(adapter).send(Metric(name, f"more-{name}")) for name in ("b.txt", "a.txt")]
    adapter.drain()
    assert os.path.samefile(adapter.root / "a.txt", adapter.root / "b.txt")
    sent = {metric.ident: metric for metric in metrics}
    check_exactly_once(idents(adapter.output("a.txt"), sent), list(sent), list(sent))


def test_two_names_on_a_full_volume(stage):
    """The volume takes only a part of what is written to a.txt, and has room again before the same pass of the collector comes
    to b.txt: that waits until the record which is torn there is completed."""
    with SmallVolume(stage.home / "small", 1 << 20) as volume:
        adapter = start_with_outputs_on(stage, volume)
        client = stage.client(adapter)
        collector = adapter.collector()
        metrics = [client.send(Metric("a.txt", "first"))]
        adapter.wait_output("a.txt", metrics[0].text())
        os.link(volume.seen / "a.txt", volume.seen / "b.txt")
        stop(collector)
        metrics += [*send_batch(client, count=60), client.send(Metric("b.txt", "other"))]
        volume.fill(leave_bytes=4096)  # one page more than the output has
        with Tampering(collector, "writev", "delay_enter=500000:when=2+", adapter.home / "strace.log"):
            resume(collector)
            adapter.wait_log("cannot write an output; its records are kept and tried again", output="a.txt")
            volume.relieve()
            until(lambda: metrics[-2].text() in adapter.output("a.txt"), adapter.complaint)
        adapter.drain()
        sent = {metric.ident: metric for metric in metrics}
        check_exactly_once(idents(adapter.output("a.txt"), sent), list(sent), list(sent))


def make_two_files_one(stage, torn, empty):
    """Leaves unfinished batches of two outputs: of the one nothing stands, of the other a part, in a file that then becomes
    that of both. Returns what stands there in the end, and all metrics."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    first = client.send(Metric(empty, "other-first"))
    adapter.wait_output(empty, first.text())
    metrics = [first, *die_in_a_batch(adapter, lambda: send_batch(client, (empty,)), BEFORE_DELIVERY)]
    os.rename(adapter.root / empty, adapter.root / "kept.txt")
    (adapter.root / empty).mkdir()  # so that the batch cannot be ended
    adapter.start()
    client = stage.client(adapter)
    torn_metrics = [client.send(Metric(torn, "torn-first"))]
    adapter.wait_output(torn, text_of(torn_metrics))
    torn_metrics += die_in_a_batch(adapter, lambda: [client.send(Metric(torn, f"torn-{number}")) for number in range(COUNT)],
                                   DELIVERED, torn)
    os.truncate(adapter.root / torn, len(text_of(torn_metrics[:4])) + 40)
    (adapter.root / empty).rmdir()
    (adapter.root / empty).symlink_to(torn)
    adapter.start()
    adapter.drain()
    return adapter.output("kept.txt") + adapter.output(torn), metrics + torn_metrics


def test_two_files_become_one(stage):
    """What is torn in the file is completed before the other batch is written to it, whichever ledger is found first."""
    for torn, empty in (("a.txt", "b.txt"), ("b.txt", "a.txt")):
        raw, metrics = make_two_files_one(stage, torn, empty)
        sent = {metric.ident: metric for metric in metrics}
        check_exactly_once(idents(raw, sent), list(sent), list(sent))


# ---- another volume


@pytest.mark.parametrize("place", EVERYWHERE, ids=["-".join(map(str, place)) for place in EVERYWHERE])
def test_volume_copied_elsewhere(stage, place):
    """The volume is copied after the death, and the copy is what the next adapter gets: other numbers of device and inode."""
    adapter, first, batch = leave_batch(stage, place)
    copy = adapter.home / "copy"
    shutil.copytree(adapter.root, copy, symlinks=True)
    shutil.rmtree(adapter.root)
    adapter.root = adapter.seen_root = copy
    adapter.settings["output.root"] = copy
    go_on(stage, adapter, first.text() + text_of(batch))


@pytest.mark.parametrize("cut", [0, 100])
def test_volume_restored_from_a_backup(stage, cut):
    """A backup is made inside the batch; the adapter goes on for a while; then the backup is restored. The batch stands once,
    in what is a new file by its number; what came after the backup is not in it, and so is gone."""
    adapter, first, batch = leave_batch(stage, DELIVERED)
    os.truncate(adapter.root / "a.txt", len(adapter.output("a.txt")) - cut)
    shutil.copytree(adapter.root, adapter.home / "backup", symlinks=True)
    adapter.start()
    later = stage.client(adapter).send(Metric("a.txt", "later"))
    adapter.wait_output("a.txt", first.text() + text_of(batch) + later.text())
    adapter.kill_all()
    shutil.rmtree(adapter.root)
    shutil.copytree(adapter.home / "backup", adapter.root, symlinks=True)
    go_on(stage, adapter, first.text() + text_of(batch))
