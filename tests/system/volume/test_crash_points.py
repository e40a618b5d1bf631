"""P1 at each named step (base/crash_point.h): a process dies there by SIGKILL, and another that comes by after it, while
it takes up what the first one left.

The places are read from the sources, so a new one is tested without a word here; one that no process came by is a
failure. Only in a program built with `make CRASH=1`: `make check-crash-points`.
"""

import re

import pytest

from adapter import REPOSITORY, run_program
from metrics import Metric
from processes import is_running, resume, send, stop
from records import check_exactly_once, idents
from traffic import Sender, stop_all
from waiting import until

FOLDERS = ("base", "common", "segment", "collector", "worker")
PLACE = re.compile(r'crash_point\("([a-z_.]+)"\)')
SETTINGS = {"workers.count": 2, "segments.size_bytes": 64 << 10, "output.rotate_bytes": 20_000,
            "output.rotate_seconds": 366 * 86400, "output.rotate_keep": 1000}
PATHS = ("a.txt", "b.txt", "deep/er/c.txt")
CUT = "cut.txt"
ASIDE = "aside.txt"
ROUNDS_MAX = 20
GARBAGE = "00009-0000000001-0000000000.sealed"

# What only a collector comes by that finds the batch of another one unfinished, and where that one died: before it wrote,
# so that all of the batch is missing, or behind it.
GOES_ON = {"file.completed": "output.intent_noted", "file.written_in_place": "output.delivered",
           "output.completed": "output.delivered", "output.completion_noted": "output.delivered"}

# The same where the output has become shorter meanwhile (Tour.cut_short()).
BEGINS_ANEW = "output.begun_anew"

# Where only who sets records aside comes by (Tour.set_aside()).
SETS_ASIDE = "aside."

# Where nobody comes by with durability "process". Bytes are written in place then only over the zeros that a loss of power
# left; deaths there are the crash suite's, mode `power`.
ONLY_DURABLE = ("journal.synced", "file.synced", "file.written_in_place", "merge.names_synced")


def places():
    """The names of all crash points."""
    sources = (path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.c"))
    return sorted({name for path in sources for name in PLACE.findall(path.read_text())})


class Tour:
    """One adapter that is taken past every place, again and again, until all that was armed has happened."""

    def __init__(self, stage, durability, armed):
        self.arms = stage.home / "armed"
        self.arms.mkdir()
        for name in armed:
            (self.arms / name).touch()
        environment = {"MYGRPCADAPTER_CRASH_POINTS": str(self.arms)}
        self.adapter = stage.adapter({**SETTINGS, "segments.durability": durability}, environment=environment)
        self.stage = stage
        self.senders = []

    def left(self):
        """What has not happened yet."""
        return sorted(path.name for path in self.arms.iterdir())

    def traffic(self):
        """Two connections to three outputs, until segments have been filled and begun anew."""
        senders = [Sender(self.adapter, f"s{len(self.senders) + number}", PATHS, (1, 40)) for number in range(2)]
        self.senders += senders
        for sender in senders:
            sender.start()
        until(lambda: all(len(sender.acknowledged) > 30 for sender in senders), self.adapter.complaint)
        for pid in (*list(self.adapter.workers().values())[:1], self.adapter.collector()):
            send(pid)  # a segment is taken over, a batch may be cut
        (self.adapter.segments / GARBAGE).write_bytes(b"no segment")
        counts = [len(sender.acknowledged) for sender in senders]
        until(lambda: all(len(sender.acknowledged) > count + 10 for sender, count in zip(senders, counts)),
              self.adapter.complaint)
        stop_all(senders)

    def cut_short(self):
        """A collector dies inside a batch for an output of which everything is cut off then: its successor has no place to
        compare with. What was in that output before is not looked at again, the record of the batch is."""
        client = self.stage.client(self.adapter)
        before = len(self.adapter.output(CUT))
        until(lambda: client.call(Metric(CUT, "before").wire()).ok, self.adapter.complaint)
        until(lambda: len(self.adapter.output(CUT)) > before, self.adapter.complaint)
        stop(self.adapter.pid)
        collector = self.adapter.collector()
        stop(collector)
        metric = client.send(Metric(CUT, f"cut-{len(self.left())}"))
        (self.arms / "output.delivered.3").touch()
        resume(collector)
        until(lambda: not is_running(collector), "the collector to die inside the batch")
        (self.adapter.root / CUT).write_bytes(b"")
        resume(self.adapter.pid)
        until(lambda: self.adapter.output(CUT) == metric.text(), self.adapter.complaint)

    def set_aside(self):
        """A record for an output in whose place a directory stands is set aside, whoever dies of the order, and put back: then
        it stands there once."""
        collector = self.adapter.collector()
        place = self.adapter.root / ASIDE
        stop(collector)
        metric = self.stage.client(self.adapter).send(Metric(ASIDE, f"aside-{self.adapter.runs}"))
        if place.exists():
            place.unlink()
        place.mkdir()
        resume(collector)
        self.adapter.wait_log("cannot write an output; its records are kept and tried again", output=ASIDE)
        answer = run_program("segments", self.adapter.segments, "--set-aside", f"file:{ASIDE}")
        assert answer.returncode in (0, 1), answer  # 1: nothing waits any more, when who had set aside died behind it
        place.rmdir()
        for path in (self.adapter.segments / "aside").glob("*.segment"):
            assert run_program("segments", self.adapter.segments, "--put-back", path.name).returncode == 0
        until(lambda: self.adapter.output(ASIDE) == metric.text(), self.adapter.complaint)

    def end(self):
        """Has it drain, however often what is armed lets it down."""
        self.adapter.tell(15)
        self.adapter.wait_end()

    def run(self, name):
        """Round after round until nothing is armed any more. A round need not pass every place: a worker that is killed
        between two segments, say, leaves none to be taken over."""
        for _ in range(ROUNDS_MAX):
            self.adapter.start()
            if name.startswith(SETS_ASIDE):
                self.set_aside()
            self.traffic()
            if name == BEGINS_ANEW:
                self.cut_short()
            self.end()
            if not self.left():
                return
        raise AssertionError(f"no process came by {self.left()}")

    def check(self):
        """All that was acknowledged stands in the outputs once, whole, and nothing else."""
        self.adapter.start()
        self.adapter.drain()
        sent = {ident: metric for sender in self.senders for ident, metric in sender.sent.items()}
        acknowledged = [ident for sender in self.senders for ident in sender.acknowledged]
        found = [ident for path in PATHS for ident in idents(self.adapter.rotated_output(path), sent)]
        check_exactly_once(found, acknowledged, list(sent))
        assert len(acknowledged) > 60
        strangers = [path.name for path in self.adapter.quarantined()
                     if not path.name.startswith(GARBAGE)]
        assert strangers == []


@pytest.mark.parametrize("durability", ["process", "machine"])
@pytest.mark.parametrize("name", places())
def test_death_at(stage, name, durability):
    """Death at the place, and once more at the same place on the way back."""
    if durability == "process" and name in ONLY_DURABLE:
        pytest.skip("no process comes by with this durability")
    also = [f"{GOES_ON[name]}.{death}" for death in (1, 2)] if name in GOES_ON else []
    tour = Tour(stage, durability, [f"{name}.1", f"{name}.2", *also])
    tour.run(name)
    tour.check()
