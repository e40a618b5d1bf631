"""P1 under a storm: clients call without pause while workers, the collector and the master are killed at random. In the
long form people handle the adapter and its volume meanwhile.

At the end the outputs are read strictly: every acknowledged call once, every other at most once, none torn, each
connection's calls in order. The storm follows from a seed: MYGRPCADAPTER_STORM_SEED, by default another each time.
MYGRPCADAPTER_STORM_SECONDS makes it longer.
"""

import contextlib
import os
import random
import time

import pytest

from disk_volume import DiskVolume
from hands import ALIAS, Hands, durability_setting
from processes import send
from records import check_exactly_once, check_order_in_files, idents
from traffic import Sender, stop_all
from waiting import until

SECONDS = float(os.environ.get("MYGRPCADAPTER_STORM_SECONDS", "15"))
VOLUME_BYTES = (256 << 20) + (int(SECONDS) << 22)
PATHS = ("one.txt", "two.txt", "deep/er/three.txt")
BOTH = pytest.mark.parametrize("durability", ["process", "machine"])
SETTINGS = {"workers.count": 3, "segments.size_bytes": 256 << 10, "workers.start_timeout_ms": 10000}


class Storm:
    """One adapter, several senders, and what is done to them."""

    paths = PATHS
    pauses = (0.0, 0.01, 0.1, 0.3)  # seconds
    long_seconds = 15  # in which everything happens that can

    def __init__(self, seed, durability, adapter):
        self.random = random.Random(seed)
        self.adapter = adapter
        self.adapter.settings.update(SETTINGS)
        self.adapter.configuration.write_text(durability_setting(durability))
        self.senders = []
        self.retired = []
        self.kills = {"worker": 0, "collector": 0, "master": 0}

    def add_sender(self):
        """One more connection, which ends with its first failure: a promise of order belongs to one connection."""
        name = f"s{len(self.senders) + len(self.retired)}"
        paths = tuple(self.random.sample(self.paths, self.random.choice((1, 3))))
        self.senders.append(Sender(self.adapter, name, paths, (1, 2, 40), single=True).start())

    def replace_broken(self):
        """Puts new senders in the place of those that have met a failure."""
        for sender in [sender for sender in self.senders if sender.failures]:
            sender.stop()
            self.senders.remove(sender)
            self.retired.append(sender)
            self.add_sender()

    def blow(self):
        """Something happens."""
        self.kill_someone()

    def counts(self):
        """How often each thing has happened."""
        return self.kills

    def kill_someone(self):
        """Mostly a worker, often the collector, both, or the master with all or nothing else."""
        target = self.random.choices(("worker", "collector", "both", "master"), (6, 4, 2, 2))[0]
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
            time.sleep(self.random.choice(self.pauses) * self.random.random() * 2)
            self.blow()
            self.replace_broken()

    def read(self):
        """What stands in each output."""
        return [self.adapter.output(path) for path in PATHS]

    def settle(self):
        """The end: stops the clients, drains, and checks the outputs."""
        stop_all(self.senders)
        self.adapter.wait_log("listening")
        self.adapter.drain()
        everyone = self.retired + self.senders
        sent = {ident: metric for sender in everyone for ident, metric in sender.sent.items()}
        acknowledged = [ident for sender in everyone for ident in sender.acknowledged]
        files = [idents(raw, sent) for raw in self.read()]
        check_exactly_once([ident for found in files for ident in found], acknowledged, list(sent))
        for sender in everyone:
            for path in sender.paths:
                ours = [ident for ident, metric in sender.sent.items() if metric.path == path]
                check_order_in_files(files, ours, returns=path == ALIAS)
        assert self.adapter.quarantined() == []
        return len(acknowledged), len(sent)


class HandledStorm(Storm):
    """The same while people handle the adapter and its volume, which has one directory under two names."""

    paths = (*PATHS, "same/three.txt", ALIAS)
    pauses = (0.0, 0.01, 0.1, 0.3, 1.0)
    long_seconds = 120

    def __init__(self, seed, durability, adapter, volume=None):
        super().__init__(seed, durability, adapter)
        self.adapter.settings.update({"output.rotate_bytes": 1 << 20, "output.rotate_keep": 1000})
        self.hands = Hands(adapter, self.random, self.paths, volume)

    def blow(self):
        """A kill, or a deed."""
        if self.random.random() < 0.25:
            self.kill_someone()
        else:
            self.hands.do_something()

    def counts(self):
        """Kills and deeds."""
        return self.kills | self.hands.counts

    def settle(self):
        """First all deeds are undone."""
        self.hands.wait_undone()
        return super().settle()

    def read(self):
        """What stands in each file, whatever names it has by now."""
        root = self.adapter.seen_root
        paths = [path for path in (*root.glob("*.txt*"), *root.glob("deep/er/*.txt*")) if not path.is_symlink()]
        return [path.read_bytes() for path in {path.stat().st_ino: path for path in paths}.values()]


def weather(kind, durability, *adapter_and_volume):
    """One storm to its end: nothing acknowledged is lost, nothing is doubled, torn or out of order, and nothing had to be set
    aside. In a long one everything happened that can."""
    seed = int(os.environ.get("MYGRPCADAPTER_STORM_SEED", time.time_ns() % 1000000))
    print(f"MYGRPCADAPTER_STORM_SEED={seed}")
    storm = kind(seed, durability, *adapter_and_volume)
    storm.rage(SECONDS)
    acknowledged, sent = storm.settle()
    print(f"{storm.counts()}, {acknowledged} of {sent} calls acknowledged")
    assert acknowledged > 200
    assert SECONDS < storm.long_seconds or min(storm.counts().values()) > 0


@BOTH
def test_kill_storm(stage, durability):
    """Kills alone."""
    weather(Storm, durability, stage.adapter())


@pytest.mark.skipif("MYGRPCADAPTER_STORM_SECONDS" not in os.environ, reason="takes minutes: part of make check-crash")
@BOTH
def test_handled_storm(stage, durability):
    """Whatever people do to the adapter and its volume meanwhile. Where we are not root, they cannot do all of it."""
    with DiskVolume(stage.home / "volume", VOLUME_BYTES) if os.geteuid() == 0 else contextlib.nullcontext() as volume:
        adapter = stage.adapter(root=stage.home / "volume", wrapper=volume.wrapper if volume else ())
        adapter.seen_root = volume.seen if volume else adapter.root
        (adapter.seen_root / "deep/er").mkdir(parents=True)
        (adapter.seen_root / "same").symlink_to("deep/er")
        stage.drop_root(adapter)
        weather(HandledStorm, durability, adapter, volume)
