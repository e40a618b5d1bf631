"""P1 under a storm: clients call without pause while workers, the collector and the master are killed at random. In the
long form people handle the volume meanwhile.

At the end the outputs are read strictly: every acknowledged call once, every other at most once, none torn, each
connection's calls in order. The storm follows from a seed: MYGRPCADAPTER_STORM_SEED, by default another each time.
MYGRPCADAPTER_STORM_SECONDS makes it longer.
"""

import contextlib
import fcntl
import os
import random
import signal
import sys
import time

import pytest

from processes import send
from records import check_exactly_once, check_order, idents
from traffic import Sender, stop_all
from waiting import until

FS_IOC_GETFLAGS = 0x80086601  # linux/fs.h
FS_IOC_SETFLAGS = 0x40086602
FS_IMMUTABLE_FL = 0x10

SECONDS = float(os.environ.get("MYGRPCADAPTER_STORM_SECONDS", "15"))
PATHS = ("one.txt", "two.txt", "deep/er/three.txt")
BOTH = pytest.mark.parametrize("durability", ["process", "machine"])
SETTINGS = {"workers.count": 3, "segments.size_bytes": 256 << 10, "workers.start_timeout_ms": 10000}


class Storm:
    """One adapter, several senders, and what is done to them."""

    paths = PATHS

    def __init__(self, stage, seed, durability):
        self.random = random.Random(seed)
        self.adapter = stage.adapter({**SETTINGS, "segments.durability": durability})
        self.senders = []
        self.retired = []
        self.kills = {"worker": 0, "collector": 0, "master": 0}
        self.deeds = {}

    def add_sender(self):
        """One more connection, which ends with its first failure: a promise of order belongs to one connection."""
        name = f"s{len(self.senders) + len(self.retired)}"
        paths = tuple(self.random.sample(self.paths, self.random.choice((1, 3))))
        self.senders.append(Sender(self.adapter, name, paths, (1, 2, 40), single=True).start())

    def replace_broken(self):
        """Puts new senders in the place of those that have met a failure."""
        for sender in [sender for sender in self.senders if sender.failures]:
            sender.halt.set()
            self.senders.remove(sender)
            self.retired.append(sender)
            self.add_sender()

    def kill_someone(self):
        """One blow: mostly a worker, often the collector, both, or the master with all or nothing else."""
        target = self.random.choices(("worker", "collector", "both", "master"), (6, 4, 2, 1))[0]
        if target in ("worker", "both"):
            workers = list(self.adapter.workers().values())
            for pid in self.random.sample(workers, min(len(workers), self.random.choice((1, 1, 2, 3)))):
                send(pid)
                self.kills["worker"] += 1
        if target in ("collector", "both"):
            send(self.adapter.collector())
            self.kills["collector"] += 1
        if target == "master":
            self.kill_master()

    def kill_master(self):
        """SIGKILL for the master, sometimes for the rest as well, and the next start at once on the same port."""
        self.kills["master"] += 1
        everyone = [*self.adapter.workers().values(), self.adapter.collector()]
        self.adapter.master.kill()
        self.adapter.master.wait()
        if self.random.random() < 0.5:
            for pid in everyone:
                send(pid)
        self.adapter.start()

    def rage(self, seconds):
        """Blows at random intervals for so long."""
        self.adapter.start()
        for _ in range(4):
            self.add_sender()
        until(lambda: all(sender.acknowledged for sender in self.senders), "calls")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.random.choice((0.0, 0.01, 0.1, 0.3)) * self.random.random() * 2)
            self.kill_someone()
            self.replace_broken()

    def read(self):
        """What stands in each output."""
        return [self.adapter.output(path) for path in PATHS]

    def settle(self):
        """The end: stops the clients, drains, and checks the outputs."""
        stop_all(self.senders + self.retired)
        self.adapter.wait_log("listening")
        self.adapter.drain()
        everyone = self.retired + self.senders
        sent = {ident: metric for sender in everyone for ident, metric in sender.sent.items()}
        acknowledged = [ident for sender in everyone for ident in sender.acknowledged]
        files = [idents(raw, sent) for raw in self.read()]
        check_exactly_once([ident for found in files for ident in found], acknowledged, list(sent))
        for found in files:
            for sender in everyone:
                for path in self.paths:
                    check_order(found, [ident for ident, metric in sender.sent.items() if metric.path == path])
        return len(acknowledged), len(sent)


class HandledStorm(Storm):
    """The same while people handle the volume: outputs are rotated, renamed, and cannot be written for a moment, one has two
    names, segments cannot be changed for a moment, and the configuration and the program are loaded again."""

    paths = (*PATHS, "same/three.txt")

    def __init__(self, stage, seed, durability):
        super().__init__(stage, seed, durability)
        self.adapter.settings.update({"output.rotate_bytes": 1 << 20, "output.rotate_keep": 1000})
        self.adapter.root.mkdir()
        (self.adapter.root / "deep/er").mkdir(parents=True)
        (self.adapter.root / "same").symlink_to("deep/er")
        self.deeds = {"rename": 0, "immutable": 0, "reload": 0}

    def kill_someone(self):
        """A blow, or a deed."""
        deed = self.random.choice((super().kill_someone, self.rename, self.make_immutable, self.reload))
        deed()

    def rename(self):
        """An output gets another name, beside the old one."""
        path = self.adapter.root / self.random.choice(PATHS)
        with contextlib.suppress(FileNotFoundError):  # it was rotated just now, or renamed
            path.rename(path.with_name(f"{path.name}.moved-{self.deeds['rename']}"))
            self.deeds["rename"] += 1

    def make_immutable(self):
        """Nobody can write, rename or remove an output, or a segment, for a moment."""
        paths = [self.adapter.root / path for path in PATHS]
        paths += [self.adapter.segments / name for name in self.adapter.segment_files()]
        try:
            with open(self.random.choice(paths), "rb") as file:  # whatever its name is by the end
                flags = fcntl.ioctl(file, FS_IOC_GETFLAGS, bytes(8))
                number = int.from_bytes(flags, sys.byteorder) | FS_IMMUTABLE_FL
                fcntl.ioctl(file, FS_IOC_SETFLAGS, number.to_bytes(8, sys.byteorder))
                self.deeds["immutable"] += 1
                time.sleep(self.random.random() * 0.3)
                fcntl.ioctl(file, FS_IOC_SETFLAGS, flags)
        except OSError:
            pass  # it is gone, or it takes root and a file system that has this

    def reload(self):
        """HUP or USR2; the master may be at one still, and refuse."""
        self.deeds["reload"] += 1
        self.adapter.tell(self.random.choice((signal.SIGHUP, signal.SIGUSR2)))

    def read(self):
        """What stands in each file, whatever its name is by now."""
        root = self.adapter.root
        return [path.read_bytes() for path in sorted([*root.glob("*.txt*"), *root.glob("deep/er/*.txt*")])]


def weather(kind, stage, durability):
    """One storm to its end: nothing acknowledged is lost, nothing is doubled, torn or out of order, and nothing had to be set
    aside. Returns it."""
    seed = int(os.environ.get("MYGRPCADAPTER_STORM_SEED", time.time_ns() % 1000000))
    print(f"MYGRPCADAPTER_STORM_SEED={seed}")
    storm = kind(stage, seed, durability)
    storm.rage(SECONDS)
    acknowledged, sent = storm.settle()
    print(f"{storm.kills}, {storm.deeds}, {acknowledged} of {sent} calls acknowledged")
    assert acknowledged > 200
    assert storm.adapter.quarantined() == []
    return storm


@BOTH
def test_kill_storm(stage, durability):
    """Kills alone."""
    assert min(weather(Storm, stage, durability).kills.values()) > 0


@pytest.mark.skipif("MYGRPCADAPTER_STORM_SECONDS" not in os.environ, reason="takes minutes: part of make check-crash")
@BOTH
def test_handled_storm(stage, durability):
    """Whatever people do to the volume meanwhile."""
    weather(HandledStorm, stage, durability)
