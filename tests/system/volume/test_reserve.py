"""Segments leave the room that merging needs: on a volume that only the adapter fills, what was acknowledged comes to stand in
its output without anybody's help, and service goes on as far as the room goes (B15)."""

import pytest

from metrics import Metric
from processes import resume, stop
from records import check_exactly_once, idents
from test_full_volume import EXHAUSTED, MIB, Filler, start_on
from tmpfs import SmallVolume
from waiting import until

KIB = 1 << 10
FILES = 16
# README.md, "Configuration", says of how much room each takes.
PER_FILE = 32 * KIB
SETTINGS = {"workers.count": 1, "segments.size_bytes": 256 * KIB, "output.max_files": FILES, "workers.stall_timeout_ms": 60000}
OURS = "make room, put segments.directory on a volume of its own, or lower"
BOTH = pytest.mark.parametrize("durability", ["process", "machine"])


def wait_in_output(adapter, filler):
    """Waits until all that was acknowledged stands in the output, with nobody making room for it."""
    adapter.wait_output("a.txt", b"".join(filler.sent[ident].text() for ident in filler.acknowledged))


@BOTH
@pytest.mark.parametrize("workers", [1, 2])
def test_a_backlog_that_fills_the_volume(stage, workers, durability):
    """While the collector stands still, calls are taken until the volume has no more room than merging needs. When it goes
    on, all of them come to stand in the output, calls are taken again by themselves, and so on, as long as there is room."""
    with SmallVolume(stage.home / "small", 16 * MIB) as volume:
        adapter = start_on(stage, volume, {**SETTINGS, "workers.count": workers, "segments.durability": durability})
        filler = Filler(stage.client(adapter))
        rounds = 0
        while volume.free_bytes() > 2 * MIB * workers:
            stop(adapter.collector())
            answer = filler.call_until_refused(2000)
            assert answer.status == EXHAUSTED and OURS in answer.details, answer
            resume(adapter.collector())
            wait_in_output(adapter, filler)
            until(lambda: filler.call().ok or volume.free_bytes() <= 2 * MIB * workers, "calls to be taken again")
            wait_in_output(adapter, filler)
            rounds += 1
        assert rounds > 1
        adapter.drain()
        filler.check(adapter.output("a.txt"))
        assert adapter.quarantined() == [] and not adapter.log.find("cannot write an output; its records are kept and tried again")


@BOTH
def test_outputs_that_fill_the_volume(stage, durability):
    """The outputs themselves fill the volume, while they are merged: the last records find their room, too. The adapter can
    end then, and start, and refuses."""
    with SmallVolume(stage.home / "small", 8 * MIB) as volume:
        adapter = start_on(stage, volume, {**SETTINGS, "segments.durability": durability})
        filler = Filler(stage.client(adapter), 500)
        least = 2 * 256 * KIB + (FILES + 1) * PER_FILE
        while volume.free_bytes() > least + 128 * KIB:
            filler.call()
            wait_in_output(adapter, filler)
        assert filler.call_until_refused(1000).status == EXHAUSTED
        wait_in_output(adapter, filler)
        adapter.drain()
        filler.check(adapter.output("a.txt"))
        assert not adapter.log.find("cannot write an output; its records are kept and tried again")
        volume.fill(leave_bytes=least - 64 * KIB)
        adapter.start()
        answer = Filler(stage.client(adapter)).call()
        assert answer.status == EXHAUSTED and OURS in answer.details, answer
        adapter.drain()


def test_a_record_that_needs_a_large_segment(stage):
    """A record of a size of its own gets a segment only if there is room for it twice; the others go on."""
    with SmallVolume(stage.home / "small", 8 * MIB) as volume:
        adapter = start_on(stage, volume, {**SETTINGS, "workers.max_message_bytes": 8 * MIB})
        filler = Filler(stage.client(adapter), 1)
        large = Metric("a.txt", "large", 1, 3 * MIB)
        stop(adapter.collector())
        answer = filler.client.call(Metric("a.txt", "too-large", 1, 4 * MIB).wire())
        assert answer.status == EXHAUSTED and OURS in answer.details, answer
        filler.sent[large.ident] = large
        until(lambda: filler.client.call(large.wire()).ok, "room for the large one")
        filler.acknowledged.append(large.ident)
        resume(adapter.collector())
        wait_in_output(adapter, filler)
        assert filler.call().ok
        adapter.drain()
        filler.check(adapter.output("a.txt"))


@pytest.mark.parametrize("apart", [False, True], ids=["one volume", "segments apart"])
def test_ledgers_find_their_room(stage, apart):
    """Many outputs that are all new, each with a little text: their ledgers take more room than the text, on the volume of the
    segments. They have it, and all records are delivered."""
    with SmallVolume(stage.home / "small", 6 * MIB) as volume:
        settings = {**SETTINGS, "output.max_files": 100, "segments.size_bytes": 64 * KIB}
        if apart:
            settings["segments.directory"] = volume.root / "segments"
            adapter = stage.adapter(settings, root=stage.home / "outputs", wrapper=volume.wrapper).start()
        else:
            adapter = start_on(stage, volume, settings)
        client = stage.client(adapter)
        stop(adapter.collector())
        sent, acknowledged = {}, {}
        for number in range(10000):
            metric = Metric(f"out-{number % 100}.txt", f"n-{number}", 20)
            sent[metric.ident] = metric
            if not client.call(metric.wire()).ok:
                break
            acknowledged.setdefault(metric.path, []).append(metric.ident)
        assert len(acknowledged) == 100 and number < 9999
        resume(adapter.collector())
        for path, expected in acknowledged.items():
            adapter.wait_output(path, b"".join(sent[ident].text() for ident in expected))
            check_exactly_once(idents(adapter.output(path), sent), expected, expected)
        adapter.drain()
