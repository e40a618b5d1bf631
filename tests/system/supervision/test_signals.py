"""Signals: TERM and INT drain, QUIT stops at once; either way what was acknowledged stands in the output once."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest

from adapter import PROGRAM
from client import Client
from metrics import Metric
from processes import resume, send, stop
from records import check_exactly_once, check_order, idents, split
from traffic import Sender, stop_all
from waiting import until


def start_senders(adapter, count=4):
    """So many connections under way, each with some calls acknowledged already."""
    senders = [Sender(adapter, f"s{number}", ("a.txt", "b.txt"), (1, 10)).start() for number in range(count)]
    until(lambda: all(len(sender.acknowledged) > 20 for sender in senders), "calls")
    return senders


def check_outputs(adapter, senders):
    """Every acknowledged call stands in the output once, every other at most once, each connection's in order."""
    sent = {ident: metric for sender in senders for ident, metric in sender.sent.items()}
    acknowledged = [ident for sender in senders for ident in sender.acknowledged]
    files = [idents(adapter.output(name), sent) for name in ("a.txt", "b.txt")]
    check_exactly_once(files[0] + files[1], acknowledged, list(sent))
    for found in files:
        for sender in senders:
            check_order(found, list(sender.sent))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_drain_under_load(stage, number):
    """Told to drain with calls coming: exit 0, nothing left, no call of which it was said OK is missing."""
    adapter = stage.start({"segments.size_bytes": 256 << 10})
    senders = start_senders(adapter)
    adapter.drain(number)
    for sender in senders:
        sender.halt.set()
    stop_all(senders)
    check_outputs(adapter, senders)
    for sender in senders:
        assert {answer.status for _, answer in sender.failures} <= {"UNAVAILABLE"}, sender.failures


def test_calls_in_flight_finish(stage):
    """Fifty calls that reach a worker's socket just before it is told to drain, so before the client could know of it, are
    answered OK, and stand in the output once (P8)."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    first = client.send(Metric("a.txt", "first"))
    worker = adapter.workers()[0]
    stop(worker)
    metrics = [Metric("a.txt", f"n-{number}") for number in range(50)]
    pending = [client.begin(metric.wire()) for metric in metrics]
    time.sleep(0.2)  # they are sent; nothing shows when they have arrived
    adapter.tell(signal.SIGTERM)
    adapter.wait_log("draining", reason="SIGTERM")
    resume(worker)
    answers = [call.answer() for call in pending]
    assert adapter.wait_end() == 0
    sent = {metric.ident: metric for metric in [first, *metrics]}
    assert [answer for answer in answers if not answer.ok] == []
    check_exactly_once(idents(adapter.output("a.txt"), sent), list(sent), list(sent))


def test_no_call_is_cancelled_by_a_drain(stage):
    """Of the calls of a hundred streams, none that a worker got is lost to a drain: all that fail found no connection."""
    adapter = stage.start()
    arguments = ("send", "--address", adapter.target, "--file-path", "a.txt", "--value", "1", "--count", "20000",
                 "--connections", "4", "--in-flight", "32")
    with open(stage.home / "sent", "w", encoding="ascii") as out:
        load = subprocess.Popen([str(PROGRAM), *arguments], stdout=out, stderr=subprocess.STDOUT)
    until(lambda: len(adapter.output("a.txt")) > 100_000, "calls")
    adapter.drain()
    load.wait(60)
    report = (stage.home / "sent").read_text()
    answered = int(re.search(r"^OK: (\d+)$", report, flags=re.MULTILINE).group(1))
    assert len(split(adapter.output("a.txt"))) == answered
    assert re.findall(r"^  ([A-Z_]+): ", report, flags=re.MULTILINE) == ["UNAVAILABLE"], report


def test_drain_with_an_idle_connection(stage):
    """An open connection without calls does not hold up the drain."""
    adapter = stage.start()
    client = stage.client(adapter)
    metric = client.send(Metric("a.txt", "a"))
    began = time.monotonic()
    adapter.drain()
    assert time.monotonic() - began < 5.0, "half of workers.drain_timeout_ms"
    assert adapter.output("a.txt") == metric.text()
    assert client.call(Metric("a.txt", "b").wire()).status == "UNAVAILABLE"


def test_drain_with_a_silent_peer(stage):
    """A connection whose peer says nothing, and does not go, is cut off after workers.drain_timeout_ms."""
    adapter = stage.start({"workers.drain_timeout_ms": 500})
    with socket.create_connection(("127.0.0.1", adapter.port)):
        stage.client(adapter).send(Metric("a.txt", "a"))
        adapter.drain()
    assert adapter.output("a.txt") == Metric("a.txt", "a").text()


def test_drain_merges_what_is_left(stage):
    """A drain with a hundred segments unmerged merges them all before it ends."""
    adapter = stage.start({"segments.size_bytes": 64 << 10})
    stop(adapter.collector())
    senders = [Sender(adapter, f"s{number}", ("a.txt", "b.txt"), (50,)).start(count=150) for number in range(3)]
    for sender in senders:
        sender.join()
    assert len(adapter.segment_files()) > 20
    adapter.tell(signal.SIGTERM)
    adapter.wait_log("worker ended", 2)
    resume(adapter.collector())
    assert adapter.wait_end() == 0
    assert adapter.segment_files() == []
    check_outputs(adapter, senders)


def test_drain_without_traffic(stage):
    """A drain of an adapter that was never called: exit 0, no output file."""
    adapter = stage.start()
    adapter.drain()
    assert [path.name for path in adapter.root.iterdir()] == [".mygrpcadapter"]
    assert adapter.quarantined() == []


def test_drain_survives_the_death_of_the_collector(stage):
    """The collector is killed while it merges the rest of a drain: another one finishes, exit 0."""
    adapter = stage.start({"segments.size_bytes": 64 << 10})
    stop(adapter.collector())
    sender = Sender(adapter, "s", ("a.txt", "b.txt"), (50,)).start(count=200)
    sender.join()
    adapter.tell(signal.SIGTERM)
    adapter.wait_log("worker ended", 2)
    send(adapter.collector())
    assert adapter.wait_end() == 0, adapter.complaint()
    assert adapter.segment_files() == []
    check_outputs(adapter, [sender])


def test_signals_to_the_whole_group(stage):
    """SIGTERM to every process at once, as a container's end or a service manager sends it, drains all the same."""
    adapter = stage.start()
    senders = start_senders(adapter)
    for pid in [adapter.pid, *adapter.workers().values(), adapter.collector()]:
        os.kill(pid, signal.SIGTERM)
    code = adapter.wait_end()
    stop_all(senders)
    assert code == 0, adapter.complaint()
    assert adapter.segment_files() == []
    check_outputs(adapter, senders)


def test_quit_stops_at_once(stage):
    """SIGQUIT under load: all processes end within a moment, exit 0; after the next start everything acknowledged
    stands in the output once."""
    adapter = stage.start({"segments.size_bytes": 256 << 10})
    stop(adapter.collector())
    senders = start_senders(adapter)
    resume(adapter.collector())
    began = time.monotonic()
    adapter.tell(signal.SIGQUIT)
    assert adapter.wait_end() == 0
    assert time.monotonic() - began < 3.0
    stop_all(senders)
    adapter.start()
    adapter.drain()
    check_outputs(adapter, senders)


def test_quit_during_a_drain(stage):
    """SIGQUIT cuts a drain short, and loses nothing."""
    adapter = stage.start()
    client = stage.client(adapter)
    metric = client.send(Metric("a.txt", "a"))
    stop(adapter.collector())
    other = client.send(Metric("a.txt", "b"))
    with socket.create_connection(("127.0.0.1", adapter.port)):
        adapter.tell(signal.SIGTERM)
        adapter.wait_log("draining", reason="SIGTERM")
        adapter.tell(signal.SIGQUIT)
        assert adapter.wait_end() == 0
    adapter.start()
    adapter.drain()
    assert adapter.output("a.txt") == metric.text() + other.text()


def test_no_new_connections_during_a_drain(stage):
    """Once it drains, the port is closed: a new connection is refused, and another program may listen there."""
    adapter = stage.start({"workers.drain_timeout_ms": 3000})
    with socket.create_connection(("127.0.0.1", adapter.port)):
        stage.client(adapter).send(Metric("a.txt", "a"))
        adapter.tell(signal.SIGTERM)
        adapter.wait_log("draining", 3)
        late = Client(adapter.target)
        assert late.call(Metric("a.txt", "late").wire()).status == "UNAVAILABLE"
        late.close()
    assert adapter.wait_end() == 0
