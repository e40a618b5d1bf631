"""P1 at each named step (base/crash_point.h): a process dies there by SIGKILL, and another that comes by after it, while
it takes up what the first one left.

The places are read from the sources, so a new one is tested without a word here; one that no process came by is a
failure. Only in a program built with `make CRASH=1`: `make check-crash-points`.
"""

import re
import time

import pytest

from adapter import REPOSITORY
from metrics import Metric
from processes import resume, send, stop
from records import check_exactly_once, idents
from traffic import Sender, stop_all
from waiting import until

FOLDERS = ("base", "common", "segment", "collector", "worker")
PLACE = re.compile(r'crash_point\("([a-z_.]+)"\)')
SETTINGS = {"workers.count": 2, "segments.size_bytes": 64 << 10, "output.rotate_bytes": 20_000,
            "output.rotate_keep": 1000}
PATHS = ("a.txt", "b.txt", "deep/er/c.txt")
ROUNDS_MAX = 20
GARBAGE = "00009-0000000001-0000000000.sealed"

# What only a collector comes by that finds the batch of another one unfinished.
TAKES_BACK = ("file.cut_back", "output.undone", "output.undo_noted")

# Where nobody comes by with durability "process".
ONLY_DURABLE = ("journal.synced", "file.synced")


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

    def put_in_the_way(self):
        """A directory in the place of an output that records wait for: after a while they are set aside."""
        collector = self.adapter.collector()
        stop(collector)
        client = self.stage.client(self.adapter)
        until(lambda: client.call(Metric("d.txt", "probe").wire()).ok, self.adapter.complaint)
        (self.adapter.root / "d.txt").mkdir()
        resume(collector)
        until(lambda: not self.left(), self.adapter.complaint, 60.0)

    def end(self):
        """Has it drain, however often what is armed lets it down."""
        self.adapter.tell(15)
        self.adapter.wait_end()

    def run(self, name):
        """Round after round until nothing is armed any more. A round need not pass every place: a worker that is killed
        between two segments, say, leaves none to be taken over."""
        for _ in range(ROUNDS_MAX):
            self.adapter.start()
            self.traffic()
            if name == "output.set_aside" and not (self.adapter.root / "d.txt").exists():
                self.put_in_the_way()
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
                     if not path.name.startswith(GARBAGE) and "undeliverable" not in path.name]
        assert strangers == []


@pytest.mark.parametrize("durability", ["process", "machine"])
@pytest.mark.parametrize("name", places())
def test_death_at(stage, name, durability):
    """Death at the place, and once more at the same place on the way back."""
    if durability == "process" and name in ONLY_DURABLE:
        pytest.skip("no process comes by with this durability")
    also = ["output.delivered.1", "output.delivered.2"] if name in TAKES_BACK else []
    tour = Tour(stage, durability, [f"{name}.1", f"{name}.2", *also])
    tour.run(name)
    tour.check()
