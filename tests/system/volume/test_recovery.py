"""A start that finds segments in every state there is, all at once: each is merged as far as it can be, what is damaged is set
aside with a line that names file and offset, and the next start has nothing left to do. There is no separate recovery: a
second and third start meet the same in between."""

import shutil

from metrics import Metric
from processes import stop
from records import check_exactly_once, check_order, idents
from test_damage import HEADER_BYTES, SET_ASIDE, record_offsets
from test_earlier_release import leave, left_text
from waiting import until

SETTINGS = {"segments.size_bytes": 64 << 10, "segments.limit_bytes": 64 << 20}
OUTPUT = "now.txt"


def fill(stage, adapter, name, count):
    """Has the workers fill segments beside a stopped collector, then kills everything; the metrics of each connection."""
    adapter.start()
    stop(adapter.collector())
    clients = [stage.client(adapter) for _ in range(8)]  # two for each of four workers
    chains = [[client.send(Metric(OUTPUT, f"{name}-{number}-{i}", 40)) for i in range(count)]
              for number, client in enumerate(clients)]
    adapter.kill_all()
    return chains


def damage(path, offset_of):
    """Flips a bit at the offset of a segment; what stood there before is returned."""
    raw = bytearray(path.read_bytes())
    offset = offset_of(raw)
    raw[offset] ^= 1
    path.write_bytes(raw)
    return bytes(raw), offset


def test_every_state_at_once(stage):
    """Open, sealed, half made, of an older incarnation, of more slots than there are now, of the version before, damaged in
    the header, in the middle and at the end, cut short, empty, and names that are none."""
    older, adapter = (stage.adapter({**SETTINGS, "workers.count": 4}) for _ in range(2))
    chains = fill(stage, older, "older", 30)
    chains += fill(stage, adapter, "newer", 30)
    for name in older.segment_files():
        shutil.copy(older.segments / name, adapter.segments / name)
    leave(adapter)  # version 1
    names = adapter.segment_files()
    sealed = [name for name in names if name.endswith(".sealed")]
    assert len(sealed) > 12 and len({name.split("-")[0] for name in names}) == 4
    assert len([name for name in names if name.endswith(".open")]) == 9

    raw, middle = damage(adapter.segments / sealed[-1], lambda raw: record_offsets(raw)[2] + 40)
    expected = {sealed[-1]: (raw, record_offsets(raw)[2])}
    raw, _ = damage(adapter.segments / sealed[-3], lambda raw: 40)
    expected[sealed[-3]] = (raw, 0)
    raw = (adapter.segments / sealed[-5]).read_bytes()
    cut = record_offsets(raw)[1] + 10
    (adapter.segments / sealed[-5]).write_bytes(raw[:cut])
    expected[sealed[-5]] = (raw[:cut], record_offsets(raw)[1])
    lost = b"".join(raw[HEADER_BYTES:] for raw in
                    [expected[sealed[-1]][0], expected[sealed[-3]][0], raw])

    (adapter.segments / "00002-0000000001-0000000000.sealed").write_bytes(b"")
    (adapter.segments / "00002-0000000001-0000000001.new").write_bytes(b"half made")
    (adapter.segments / "00077-0000000001-0000000000.sealed").mkdir()
    (adapter.segments / "00078-0000000001-0000000000.open").symlink_to("/etc/passwd")
    (adapter.segments / "notes.txt").write_text("mine\n")

    adapter.settings["workers.count"] = 1
    for _ in range(2):  # the second start finds what the first was killed in the middle of
        adapter.start()
        adapter.wait_log("worker ready")
        adapter.kill_all()
    adapter.start()
    until(lambda: adapter.segments.joinpath("quarantine").exists() and not [
        name for name in adapter.segment_files() if name.endswith(".sealed")], "all segments merged or set aside")
    until(lambda: not (adapter.segments / "00002-0000000001-0000000001.new").exists(), "the half made one removed")
    adapter.drain()

    sent = {metric.ident: metric for chain in chains for metric in chain}
    found = idents(adapter.output(OUTPUT), sent)
    whole = [ident for ident in sent if f"id:{ident}".encode() + b"]" not in lost and
             f"id:{ident} ".encode() not in lost]
    check_exactly_once(found, whole, list(sent))
    for chain in chains:
        check_order(found, [metric.ident for metric in chain])
    assert adapter.output("a.txt") == left_text("a.txt", 120)
    assert adapter.output("b/c.txt") == left_text("b/c.txt", 110)

    aside = {path.name: path for path in adapter.quarantined()}
    for name, (raw, _) in expected.items():
        assert aside[name].read_bytes() == raw
    lines = [line for run in range(1, adapter.runs + 1) for line in told(adapter, run)]
    for name, (_, offset) in expected.items():
        assert (name, offset) in lines
    assert (adapter.segments / "notes.txt").read_text() == "mine\n"
    assert middle > HEADER_BYTES

    adapter.start()
    adapter.drain()
    assert idents(adapter.output(OUTPUT), sent) == found and told(adapter, adapter.runs) == []


def told(adapter, run):
    """What the log of a run says was set aside: names and offsets."""
    lines = type(adapter.log)(adapter.log_path(run), "text").find(SET_ASIDE)
    return [(line.fields["segment"], line.number("offset")) for line in lines]
