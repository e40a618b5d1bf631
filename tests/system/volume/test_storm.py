"""P1 under a storm: clients call without pause while workers, the collector and the master are killed at random.

At the end the outputs are read strictly: every acknowledged call once, every other at most once, none torn, each
connection's calls in order. The storm follows from a seed: MYGRPCADAPTER_STORM_SEED, by default another each time.
MYGRPCADAPTER_STORM_SECONDS makes it longer.
"""

import os
import random
import time

import pytest

from processes import send
from records import check_exactly_once, check_order, idents
from traffic import Sender, stop_all
from waiting import until

SECONDS = float(os.environ.get("MYGRPCADAPTER_STORM_SECONDS", "15"))
PATHS = ("one.txt", "two.txt", "deep/er/three.txt")
SETTINGS = {"workers.count": 3, "segments.size_bytes": 256 << 10, "workers.start_timeout_ms": 10000}


class Storm:
    """One adapter, several senders, and what is done to them."""

    def __init__(self, stage, seed, durability):
        self.random = random.Random(seed)
        self.adapter = stage.start({**SETTINGS, "segments.durability": durability})
        self.senders = []
        self.retired = []
        self.kills = {"worker": 0, "collector": 0, "master": 0}

    def add_sender(self):
        """One more connection, which ends with its first failure: a promise of order belongs to one connection."""
        name = f"s{len(self.senders) + len(self.retired)}"
        paths = tuple(self.random.sample(PATHS, self.random.choice((1, 3))))
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
        for _ in range(4):
            self.add_sender()
        until(lambda: all(sender.acknowledged for sender in self.senders), "calls")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.random.choice((0.0, 0.01, 0.1, 0.3)) * self.random.random() * 2)
            self.kill_someone()
            self.replace_broken()

    def settle(self):
        """The end: stops the clients, drains, and checks the outputs."""
        stop_all(self.senders + self.retired)
        self.adapter.wait_log("listening")
        self.adapter.drain()
        everyone = self.retired + self.senders
        sent = {ident: metric for sender in everyone for ident, metric in sender.sent.items()}
        acknowledged = [ident for sender in everyone for ident in sender.acknowledged]
        files = [idents(self.adapter.output(path), sent) for path in PATHS]
        check_exactly_once([ident for found in files for ident in found], acknowledged, list(sent))
        for found in files:
            for sender in everyone:
                check_order(found, list(sender.sent))
        return len(acknowledged), len(sent)


@pytest.mark.parametrize("durability", ["process", "machine"])
def test_kill_storm(stage, durability):
    """Nothing acknowledged is lost, nothing is doubled, torn or out of order, and nothing had to be set aside."""
    seed = int(os.environ.get("MYGRPCADAPTER_STORM_SEED", time.time_ns() % 1000000))
    print(f"MYGRPCADAPTER_STORM_SEED={seed}")
    storm = Storm(stage, seed, durability)
    storm.rage(SECONDS)
    acknowledged, sent = storm.settle()
    print(f"{storm.kills}, {acknowledged} of {sent} calls acknowledged")
    assert acknowledged > 200 and min(storm.kills.values()) > 0
    assert storm.adapter.quarantined() == []
