"""What other people's hands do to the volume while the adapter runs, or while it does not: docs/other-hands.md says what is
right for each."""

import os
import shutil
import subprocess
import time

import pytest

from adapter import run_program
from metrics import Metric
from processes import resume, send, stop
from records import check_exactly_once, check_order, idents
from scrape import Admin
from traffic import Sender, stop_all
from waiting import until

SMALL = {"segments.size_bytes": 64 << 10}


def wait_calls(senders, more):
    """Waits until each has that many calls more acknowledged."""
    goals = [len(sender.acknowledged) + more for sender in senders]
    until(lambda: all(len(sender.acknowledged) >= goal for sender, goal in zip(senders, goals)), f"{more} calls more")


def check_all(adapter, senders, names):
    """Every record once in one of the files, those of each connection in order."""
    sent = {ident: metric for sender in senders for ident, metric in sender.sent.items()}
    found = [ident for name in names for ident in idents(adapter.output(name), sent)]
    check_exactly_once(found, [ident for sender in senders for ident in sender.acknowledged], list(sent))
    for sender in senders:
        check_order(found, list(sender.sent))


def rename_all(adapter, count):
    """Renames out.txt as logrotate does, oldest last; the names in the order of their age."""
    for number in range(count, 0, -1):
        if (adapter.root / f"out.txt.{number - 1}").exists():
            os.rename(adapter.root / f"out.txt.{number - 1}", adapter.root / f"out.txt.{number}")
    if (adapter.root / "out.txt").exists():
        os.rename(adapter.root / "out.txt", adapter.root / "out.txt.0")


def test_renames_under_load(stage):
    """logrotate's way, without any signal: no record is lost, doubled, torn or out of order."""
    adapter = stage.start()
    senders = [Sender(adapter, f"s{number}", instances=(1, 20)).start() for number in range(3)]
    for _ in range(6):
        wait_calls(senders, 15)
        rename_all(adapter, 8)
    stop_all(senders)
    adapter.drain()
    check_all(adapter, senders, [*(f"out.txt.{number}" for number in range(8, -1, -1)), "out.txt"])


def test_renames_while_the_collector_dies(stage):
    """The same with a collector that is killed before each: a batch that it left in part is completed where it stands now."""
    adapter = stage.start(SMALL)
    senders = [Sender(adapter, f"s{number}", instances=(1, 40)).start() for number in range(3)]
    for number in range(10):
        wait_calls(senders, 8)
        send(adapter.collector())
        rename_all(adapter, 12)
        adapter.wait_log("collector started", number + 2)
    stop_all(senders)
    adapter.drain()
    check_all(adapter, senders, [*(f"out.txt.{number}" for number in range(12, -1, -1)), "out.txt"])


def test_segment_directory_emptied(stage):
    """Everything in it is deleted under load: what was acknowledged is still merged, from what is open, and within a second
    or so new segments are made. Afterwards the adapter keeps its promise as before."""
    adapter = stage.start()
    senders = [Sender(adapter, f"s{number}").start() for number in range(2)]
    wait_calls(senders, 20)
    for path in adapter.segments.iterdir():
        path.unlink()
    adapter.wait_log("the open segment was removed or truncated by somebody else")
    wait_calls(senders, 20)
    send(adapter.collector())
    wait_calls(senders, 20)
    stop_all(senders)
    adapter.drain()
    check_all(adapter, senders, ["out.txt"])


def test_segment_directory_removed(stage):
    """The directory itself is deleted: what was acknowledged is merged; calls are refused with a message that names it; the
    next start makes it again."""
    adapter = stage.start({"workers.count": 1})
    sender = Sender(adapter, "s").start()
    wait_calls([sender], 20)
    while adapter.segments.exists():  # a file may be made in it meanwhile
        shutil.rmtree(adapter.segments, ignore_errors=True)
    until(lambda: sender.failures, "a refusal")
    sender.stop()
    answer = sender.failures[0][1]
    assert answer.status == "UNAVAILABLE" and "segments.directory" in answer.details
    adapter.tell(15)
    adapter.wait_end()
    adapter.start()
    more = Sender(adapter, "t").start()
    wait_calls([more], 5)
    more.stop()
    adapter.drain()
    check_all(adapter, [sender, more], ["out.txt"])


def test_ledger_removed(stage):
    """Only the ledger is deleted, and the collector killed later: nothing is written twice."""
    adapter = stage.start({"workers.count": 1})
    sender = Sender(adapter, "s").start()
    wait_calls([sender], 20)
    for path in adapter.segments.glob("ledger-*"):
        path.unlink()
    adapter.wait_log("a ledger was removed by somebody else; another one is made")
    wait_calls([sender], 20)
    send(adapter.collector())
    wait_calls([sender], 20)
    sender.stop()
    adapter.drain()
    check_all(adapter, [sender], ["out.txt"])


def delivered(admin):
    """How many records the adapter says it has delivered."""
    return admin.metrics().total("records_delivered_total")


@pytest.mark.parametrize("make, remove", [(os.mkfifo, os.unlink), (os.mkdir, os.rmdir)])
def test_something_else_in_the_place_of_an_output(stage, make, remove):
    """A pipe or a directory, put there when records wait for it: they wait on, however long that lasts (once they were given
    up after five seconds); nobody says that they are delivered, another output goes on meanwhile, and nobody waits for a
    reader of the pipe. When it is gone they are delivered."""
    adapter = stage.start({"workers.count": 1, "admin.address": "127.0.0.1:0"})
    admin = Admin(adapter)
    client = stage.client(adapter)
    stop(adapter.collector())
    metrics = [client.send(Metric("a.txt", f"n-{number}")) for number in range(3)]
    make(adapter.root / "a.txt")
    resume(adapter.collector())
    other = client.send(Metric("b.txt", "other"))
    adapter.wait_output("b.txt", other.text())
    adapter.wait_log("cannot write an output; its records are kept and tried again", output="a.txt")
    time.sleep(6.0)
    assert delivered(admin) == 1 and adapter.quarantined() == []
    assert adapter.log.find("first record written", output="a.txt") == []
    assert adapter.log.find("the output can be written again") == []
    remove(adapter.root / "a.txt")
    adapter.wait_output("a.txt", b"".join(metric.text() for metric in metrics))
    adapter.wait_log("the output can be written again", output="a.txt")
    until(lambda: delivered(admin) == 4, "the records to be counted")


def test_output_that_cannot_be_written(stage):
    """chattr +i on an output: its records wait, over the death of a collector too, and are delivered when it is taken back."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    metrics = [client.send(Metric("a.txt", "before"))]
    adapter.wait_output("a.txt", metrics[0].text())
    output = adapter.root / "a.txt"
    if subprocess.run(["chattr", "+i", output], capture_output=True, check=False).returncode != 0:
        pytest.skip("chattr +i needs root and a file system that has it")
    try:
        metrics += [client.send(Metric("a.txt", f"n-{number}")) for number in range(3)]
        adapter.wait_log("cannot write an output; its records are kept and tried again", output="a.txt")
        send(adapter.collector())
        adapter.wait_log("cannot write an output; its records are kept and tried again", 2, output="a.txt")
        assert adapter.output("a.txt") == metrics[0].text()
    finally:
        subprocess.run(["chattr", "-i", output], check=True)
    adapter.wait_output("a.txt", b"".join(metric.text() for metric in metrics))


@pytest.mark.parametrize("own_segments", [False, True])
def test_two_adapters_on_one_volume(stage, own_segments):
    """The second refuses to start and names the first, which is not disturbed; also with a segment directory of its own."""
    adapter = stage.start({"workers.count": 1})
    flags = ["-s", f"segments.directory={adapter.home}/other"] if own_segments else []
    second = run_program("-s", f"output.root={adapter.root}", "-s", "listen.port=0", *flags)
    assert second.returncode == 75
    setting = "output.root" if own_segments else "segments.directory"
    assert f"{setting}: " in second.stderr and f"is in use by another adapter, pid {adapter.pid}" in second.stderr
    metric = stage.client(adapter).send(Metric("a.txt", "first"))
    adapter.wait_output("a.txt", metric.text())


def test_output_cut_short_while_nothing_runs(stage):
    """A file shorter than the collector left it, and records still to come: they follow on its end."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    old = client.send(Metric("a.txt", "old"))
    adapter.wait_output("a.txt", old.text())
    stop(adapter.collector())
    new = client.send(Metric("a.txt", "new"))
    adapter.kill_all()
    os.truncate(adapter.root / "a.txt", 10)
    adapter.start()
    adapter.wait_output("a.txt", old.text()[:10] + new.text())
