"""Damaged data on the volume: set aside and logged, never deleted, and never a reason not to start (P9)."""

import os
import shutil
import struct

import pytest

from metrics import Metric
from processes import resume, stop
from waiting import until

HEADER_BYTES = 4096
RECORD_HEADER_BYTES = 32
COUNT = 20
DAMAGED = 12  # this record is the first that is damaged
SET_ASIDE = "a damaged segment is set aside in quarantine/"


def record_offsets(raw):
    """Where the records of a segment begin, and where the last ends."""
    offsets = [HEADER_BYTES]
    while True:
        length = struct.unpack_from("<I", raw, offsets[-1])[0]
        if length == 0:
            return offsets
        offsets.append(offsets[-1] + (RECORD_HEADER_BYTES + length + 7 & ~7))


def leave_segments(stage, settings=None):
    """An adapter of which every process was killed, with one segment that holds COUNT records nobody has merged yet.
    Returns it, the metrics and the segment's path."""
    adapter = stage.start({"workers.count": 1, **(settings or {})})
    stop(adapter.collector())
    client = stage.client(adapter)
    metrics = [client.send(Metric("a.txt", f"n-{number}")) for number in range(COUNT)]
    adapter.kill_all()
    assert len(adapter.segment_files()) == 1
    return adapter, metrics, adapter.segments / adapter.segment_files()[0]


def text_of(metrics):
    """What they become."""
    return b"".join(metric.text() for metric in metrics)


def check_set_aside(stage, adapter, raw, prefix):
    """The next start serves; of the damaged segment the records before the damage are merged, the file is kept as it is
    in quarantine/, and the log says so."""
    adapter.start()
    adapter.wait_output("a.txt", text_of(prefix))
    assert adapter.wait_log(SET_ASIDE)[0].level == "error"
    until(adapter.quarantined, "the file in quarantine/")
    assert [path.read_bytes() for path in adapter.quarantined()] == [raw]
    new = stage.client(adapter).send(Metric("a.txt", "new"))
    adapter.drain()
    assert adapter.output("a.txt") == text_of(prefix) + new.text()
    # Another start neither merges it again nor complains.
    adapter.start()
    adapter.drain()
    assert adapter.output("a.txt") == text_of(prefix) + new.text()
    assert adapter.log.find(SET_ASIDE) == []


def test_segment_that_is_whole(stage):
    """The segment of a worker that was killed is no damage: all of it is merged."""
    adapter, metrics, _ = leave_segments(stage)
    adapter.start()
    adapter.wait_output("a.txt", text_of(metrics))
    adapter.drain()
    assert adapter.output("a.txt") == text_of(metrics) and adapter.quarantined() == []


@pytest.mark.parametrize("place", [0, 3, 4, 7, 8, 16, 24, 32, 60], ids=[
    "length", "length-high", "kind", "name", "sequence", "checksum", "time", "destination", "payload"])
def test_flipped_bit_in_a_record(stage, place):
    """One bit of one record is wrong, wherever: the records before it are merged, it and those after it are kept."""
    adapter, metrics, segment = leave_segments(stage)
    raw = bytearray(segment.read_bytes())
    raw[record_offsets(raw)[DAMAGED] + place] ^= 0x10
    segment.write_bytes(raw)
    check_set_aside(stage, adapter, raw, metrics[:DAMAGED])


def test_zeroed_record_header(stage):
    """The head of a record reads as zeros, as a lost block does, and whole records follow: that is no end of the
    segment but damage, and what follows is not deleted."""
    adapter, metrics, segment = leave_segments(stage)
    raw = bytearray(segment.read_bytes())
    offset = record_offsets(raw)[DAMAGED]
    raw[offset:offset + RECORD_HEADER_BYTES] = bytes(RECORD_HEADER_BYTES)
    segment.write_bytes(raw)
    check_set_aside(stage, adapter, raw, metrics[:DAMAGED])


@pytest.mark.parametrize("place", [0, 8, 12, 16, 24, 32, 48, 64, 72])
def test_flipped_bit_in_the_header(stage, place):
    """One bit of the segment's header is wrong: nothing of it is believed, all of it is kept."""
    adapter, _, segment = leave_segments(stage)
    raw = bytearray(segment.read_bytes())
    raw[place] ^= 1
    segment.write_bytes(raw)
    check_set_aside(stage, adapter, raw, [])


@pytest.mark.parametrize("size", [0, 100, HEADER_BYTES, HEADER_BYTES + 500, 32768])
def test_truncated_segment(stage, size):
    """The segment's file was cut short: the records before the cut are merged."""
    adapter, metrics, segment = leave_segments(stage)
    raw = segment.read_bytes()
    whole = len([end for end in record_offsets(raw)[1:] if end <= size])
    segment.write_bytes(raw[:size])
    check_set_aside(stage, adapter, raw[:size], metrics[:whole])


def test_segment_cut_short_while_it_is_read(stage):
    """The open segment is cut short under a worker and a collector that use it: what was merged stays, the records behind the
    cut are gone with it, and both go on, with a new segment."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    old = [client.send(Metric("a.txt", f"old-{number}")) for number in range(3)]
    adapter.wait_output("a.txt", text_of(old))
    stop(adapter.collector())
    lost = client.send(Metric("a.txt", "lost"))
    os.truncate(adapter.segments / adapter.segment_files()[0], HEADER_BYTES + 10)
    resume(adapter.collector())

    def noticed():
        client.call(Metric("a.txt", "new").wire(), wait_for_ready=True)
        return adapter.log.find(SET_ASIDE)
    assert until(noticed, "the segment in quarantine/", pause=0.1)[0].level == "error"
    new = client.send(Metric("a.txt", "last"))
    until(lambda: adapter.output("a.txt").endswith(new.text()), "the last record")
    output = adapter.output("a.txt")
    assert output.startswith(text_of(old)) and lost.text() not in output


def test_flipped_bit_while_it_is_written(stage):
    """The same damage under a living writer: what stands before it is merged, and the log says where it is. What the writer
    goes on to acknowledge in this segment is set aside with it, when it is sealed; the next segment is merged again."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    metrics = [client.send(Metric("a.txt", "first"))]
    adapter.wait_output("a.txt", text_of(metrics))
    stop(adapter.collector())
    metrics += [client.send(Metric("a.txt", f"n-{number}")) for number in range(5)]
    segment = adapter.segments / adapter.segment_files()[0]
    with open(segment, "r+b") as file:
        raw = file.read()
        offset = record_offsets(raw)[3]
        file.seek(offset + 40)
        file.write(bytes([raw[offset + 40] ^ 1]))
    resume(adapter.collector())
    adapter.wait_output("a.txt", text_of(metrics[:3]))
    adapter.wait_log("cannot read a segment; it is tried again", offset=offset)
    behind = client.send(Metric("a.txt", "behind"))
    adapter.drain()
    aside, = adapter.quarantined()
    assert behind.text() in aside.read_bytes() and adapter.output("a.txt") == text_of(metrics[:3])
    adapter.start()
    new = stage.client(adapter).send(Metric("a.txt", "new"))
    adapter.wait_output("a.txt", text_of([*metrics[:3], new]))


def test_segment_under_another_name(stage):
    """A copy of a segment under another name is not merged a second time."""
    adapter, metrics, segment = leave_segments(stage)
    raw = segment.read_bytes()
    (adapter.segments / "00007-0000000001-0000000000.sealed").write_bytes(raw)
    check_set_aside(stage, adapter, raw, metrics)


def test_appended_to(stage):
    """Somebody appends to a segment and to a ledger in use: nothing of theirs is lost. The segment is set aside when it is
    merged, since it is not as its writer left it."""
    adapter = stage.start({"workers.count": 1})
    metrics = [stage.client(adapter).send(Metric("a.txt", "first"))]
    adapter.wait_output("a.txt", text_of(metrics))
    for path in (adapter.segments / adapter.segment_files()[0], *adapter.segments.glob("ledger-*")):
        with open(path, "ab") as file:
            file.write(b"z" * 5000)
    metrics.append(stage.client(adapter).send(Metric("a.txt", "second")))
    adapter.wait_output("a.txt", text_of(metrics))
    adapter.kill_all()
    adapter.start()
    adapter.wait_log(SET_ASIDE)
    adapter.drain()
    assert adapter.output("a.txt") == text_of(metrics)
    assert len(adapter.quarantined()) == 1


def test_strange_files(stage):
    """Files that are no segments are left alone; a directory and a link with a segment's name are no reason not to
    start, and the link is not followed."""
    adapter, metrics, _ = leave_segments(stage)
    (adapter.segments / "README").write_text("mine\n")
    (adapter.segments / "00003-0000000001-0000000000.sealed").mkdir()
    (adapter.home / "target").write_bytes(b"x" * 10000)
    (adapter.segments / "00004-0000000001-0000000000.sealed").symlink_to(adapter.home / "target")
    adapter.start()
    adapter.wait_output("a.txt", text_of(metrics))
    adapter.wait_log(SET_ASIDE, 2)
    new = stage.client(adapter).send(Metric("a.txt", "new"))
    adapter.drain()
    assert adapter.output("a.txt") == text_of(metrics) + new.text()
    assert (adapter.segments / "README").read_text() == "mine\n"
    assert (adapter.home / "target").read_bytes() == b"x" * 10000


def test_quarantine_removed(stage):
    """What is in quarantine/ is nobody's any more; the directory is made again when something is set aside."""
    adapter = stage.start({"workers.count": 1})
    for number in range(2):
        (adapter.segments / f"0000{number + 3}-0000000001-0000000000.sealed").mkdir()
        adapter.wait_log(SET_ASIDE, number + 1)
        until(adapter.quarantined, "it in quarantine/")
        shutil.rmtree(adapter.segments / "quarantine")
    metric = stage.client(adapter).send(Metric("a.txt", "new"))
    adapter.wait_output("a.txt", metric.text())


def test_damage_in_one_of_several_segments(stage):
    """Only what is damaged is set aside: the segments before and after it are merged."""
    adapter = stage.start({"workers.count": 1, "segments.size_bytes": 64 << 10})
    stop(adapter.collector())
    client = stage.client(adapter)
    metrics = [client.send(Metric("a.txt", f"n-{number}", 60)) for number in range(60)]
    adapter.kill_all()
    names = adapter.segment_files()
    assert len(names) > 4
    first_lost = sum(len(record_offsets((adapter.segments / name).read_bytes())) - 1 for name in names[:2])
    sealed = len([name for name in names[:2] if name.endswith(".sealed")])
    first_lost -= sealed  # the seal is no record of a call
    raw = bytearray((adapter.segments / names[2]).read_bytes())
    lost = len(record_offsets(raw)) - 2
    raw[HEADER_BYTES + 100] ^= 1
    (adapter.segments / names[2]).write_bytes(raw)
    adapter.start()
    adapter.wait_output("a.txt", text_of(metrics[:first_lost] + metrics[first_lost + lost:]))
    adapter.drain()
    assert [path.read_bytes() for path in adapter.quarantined()] == [raw]


def test_damaged_ledger(stage):
    """A ledger that cannot be read is set aside, logged, and no reason not to start; no record is lost."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    metrics = [client.send(Metric("a.txt", f"n-{number}")) for number in range(COUNT)]
    adapter.wait_output("a.txt", text_of(metrics))
    adapter.kill_all()
    ledgers = [path for path in adapter.segments.iterdir() if path.name.startswith("ledger-")]
    assert len(ledgers) == 1
    ledgers[0].write_bytes(b"no ledger")
    adapter.start()
    until(lambda: any("ledger is set aside" in line.event for line in adapter.log.lines()), "a line about the ledger")
    new = stage.client(adapter).send(Metric("a.txt", "new"))
    adapter.drain()
    assert new.text() in adapter.output("a.txt") and adapter.output("a.txt").startswith(text_of(metrics))
    assert len(adapter.quarantined()) == 1
