"""A volume without room, and segments at their limit: RESOURCE_EXHAUSTED with a message that says so, nothing that was
acknowledged is lost, and service resumes by itself (P5)."""

import pytest

from adapter import SANITIZED
from death import Tampering
from metrics import Metric
from processes import resume, send, stop
from records import check_exactly_once, idents
from tmpfs import SmallVolume
from waiting import until

traced = pytest.mark.skipif(SANITIZED, reason="LeakSanitizer does not work under a tracer")

MIB = 1 << 20
EXHAUSTED = "RESOURCE_EXHAUSTED"
NO_ROOM = "so that all that is accepted can be delivered; make room"
SETTINGS = {"workers.count": 1, "output.max_files": 8}


def start_on(stage, volume, settings):
    """An adapter on a small volume."""
    adapter = stage.adapter(settings, root=volume.root, wrapper=volume.wrapper)
    adapter.seen_root = volume.seen
    return adapter.start()


class Filler:
    """Calls of one connection, noted by what became of them."""

    def __init__(self, client, instances=200):
        self.client = client
        self.instances = instances
        self.sent = {}
        self.acknowledged = []

    def call(self, path="a.txt"):
        """One more call; returns the answer."""
        metric = Metric(path, f"n-{len(self.sent)}", self.instances)
        self.sent[metric.ident] = metric
        answer = self.client.call(metric.wire())
        if answer.ok:
            self.acknowledged.append(metric.ident)
        return answer

    def call_until_refused(self, calls_max):
        """Calls until one is not answered OK; returns that answer."""
        for _ in range(calls_max):
            answer = self.call()
            if not answer.ok:
                return answer
        raise AssertionError(f"none of {calls_max} calls was refused")

    def check(self, raw):
        """What was acknowledged is in the output once, and nothing that was refused."""
        found = idents(raw, self.sent)
        check_exactly_once(found, self.acknowledged, self.acknowledged)
        assert found == self.acknowledged, "in order"


def test_full_volume(stage):
    """On a full volume calls are refused and say that there is no room; when there is, they are taken again, and all
    that was ever acknowledged stands in the output once."""
    with SmallVolume(stage.home / "small", 8 * MIB) as volume:
        adapter = start_on(stage, volume, {**SETTINGS, "segments.size_bytes": 256 << 10})
        filler = Filler(stage.client(adapter))
        assert filler.call().ok
        volume.fill(leave_bytes=100 << 10)
        answer = filler.call_until_refused(500)
        assert answer.status == EXHAUSTED and NO_ROOM in answer.details, answer
        assert adapter.wait_log("calls are refused")
        volume.relieve()
        until(lambda: filler.call().ok, "calls to be taken again")
        adapter.wait_log("calls are accepted again")
        adapter.drain()
        filler.check(adapter.output("a.txt"))
        assert adapter.quarantined() == []


def test_refused_calls_take_no_output_away(stage):
    """Calls that a full volume refuses do not count against output.max_files: when there is room, an output that comes
    after them all is taken."""
    with SmallVolume(stage.home / "small", 4 * MIB) as volume:
        volume.fill(leave_bytes=64 << 10)
        settings = {"workers.count": 1, "segments.size_bytes": MIB, "output.max_files": 2}
        adapter = start_on(stage, volume, settings)
        client = stage.client(adapter)
        for number in range(10):
            answer = client.call(Metric(f"refused-{number}.txt").wire())
            assert answer.status == EXHAUSTED and NO_ROOM in answer.details, answer
        volume.relieve()
        metric = Metric("real.txt", "first")
        until(lambda: client.call(metric.wire()).ok, "calls to be taken")
        adapter.wait_output("real.txt", metric.text())


def test_volume_that_is_full_at_the_start(stage):
    """Without room for a segment at its start the adapter serves all the same: it refuses calls until there is room."""
    with SmallVolume(stage.home / "small", 4 * MIB) as volume:
        volume.fill(leave_bytes=64 << 10)
        adapter = start_on(stage, volume, {**SETTINGS, "segments.size_bytes": MIB})
        filler = Filler(stage.client(adapter), 1)
        answer = filler.call()
        assert answer.status == EXHAUSTED and NO_ROOM in answer.details, answer
        volume.relieve()
        until(lambda: filler.call().ok, "calls to be taken")
        adapter.drain()
        filler.check(adapter.output("a.txt"))


@pytest.mark.parametrize("victim", ["collector", "worker", "master"])
def test_kill_on_a_full_volume(stage, victim):
    """A process that is killed while the volume is full is replaced, and nothing acknowledged is lost or doubled."""
    with SmallVolume(stage.home / "small", 6 * MIB) as volume:
        adapter = start_on(stage, volume, {**SETTINGS, "segments.size_bytes": 256 << 10})
        filler = Filler(stage.client(adapter))
        volume.fill(leave_bytes=100 << 10)
        filler.call_until_refused(500)
        if victim == "master":
            adapter.kill_all()
            adapter.start()
        else:
            send(adapter.collector() if victim == "collector" else adapter.workers()[0])
            adapter.wait_log(f"{victim} ready", 2)
        volume.relieve()
        until(lambda: filler.call().ok, "calls to be taken again")
        adapter.drain()
        filler.check(adapter.output("a.txt"))
        assert adapter.quarantined() == []


def test_segments_at_their_limit(stage):
    """While the collector stands still, calls are taken up to segments.limit_bytes, then refused by that name; when it
    goes on, so does the service."""
    settings = {"workers.count": 1, "segments.size_bytes": 256 << 10, "segments.limit_bytes": 2 * MIB,
                "workers.max_text_bytes": MIB, "workers.stall_timeout_ms": 60000}
    adapter = stage.start(settings)
    filler = Filler(stage.client(adapter))
    stop(adapter.collector())
    answer = filler.call_until_refused(1000)
    assert answer.status == EXHAUSTED and "segments.limit_bytes" in answer.details, answer
    size = sum((adapter.segments / name).stat().st_size for name in adapter.segment_files())
    assert MIB < size <= 2 * MIB
    resume(adapter.collector())
    until(lambda: filler.call().ok, "calls to be taken again")
    adapter.drain()
    filler.check(adapter.output("a.txt"))


def test_one_output_that_cannot_be_written(stage):
    """An output that refuses holds up no other, and gets its records when it can be written again."""
    adapter = stage.start()
    client = stage.client(adapter)
    client.send(Metric("bad/a.txt", "b-0"))
    adapter.wait_output("bad/a.txt", Metric("bad/a.txt", "b-0").text())
    # What was checked a moment ago is accepted, though a directory stands in the file's place now.
    (adapter.root / "bad" / "a.txt").unlink()
    (adapter.root / "bad" / "a.txt").mkdir()
    bad = [m for m in (Metric("bad/a.txt", f"b-{number}") for number in range(1, 20)) if client.call(m.wire()).ok]
    assert bad, "a path checked within the last second is not checked again"
    good = [client.send(Metric("good.txt", f"g-{number}")) for number in range(50)]
    adapter.wait_output("good.txt", b"".join(metric.text() for metric in good))
    adapter.wait_log("cannot write an output; its records are kept and tried again", output="bad/a.txt")
    (adapter.root / "bad" / "a.txt").rmdir()
    adapter.wait_output("bad/a.txt", b"".join(metric.text() for metric in bad))

@traced
@pytest.mark.parametrize("error", ["EDQUOT", "EIO", "EROFS"])
def test_write_that_is_refused(stage, error):
    """A quota is reached, the disk fails, or the kernel makes the volume read-only: records wait, and stand once when writing
    works again."""
    adapter = stage.start({"workers.count": 1})
    filler = Filler(stage.client(adapter))
    assert filler.call().ok
    adapter.wait_output("a.txt", filler.sent["n-0"].text())
    with Tampering(adapter.collector(), "writev", f"error={error}", adapter.home / "strace.log") as tampering:
        assert all([filler.call().ok for _ in range(5)])
        until(lambda: tampering.log.read_text().count("HandleMetric") > 4, "writes that are refused")
        assert adapter.output("a.txt") == filler.sent["n-0"].text()
    until(lambda: len(adapter.output("a.txt")) == sum(len(metric.text()) for metric in filler.sent.values()), adapter.complaint)
    adapter.drain()
    filler.check(adapter.output("a.txt"))


@traced
def test_segment_beyond_a_quota(stage):
    """A segment that a quota refuses is one that has no room: calls are refused until there is some."""
    adapter = stage.start({"workers.count": 1, "segments.size_bytes": 256 << 10})
    filler = Filler(stage.client(adapter))
    assert filler.call().ok
    with Tampering(adapter.workers()[0], "fallocate", "error=EDQUOT", adapter.home / "strace.log"):
        answer = filler.call_until_refused(100)
        assert answer.status == EXHAUSTED and "quota" in answer.details.lower(), answer
    until(lambda: filler.call().ok, "calls to be taken again")
    adapter.drain()
    filler.check(adapter.output("a.txt"))
