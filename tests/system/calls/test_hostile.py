"""Clients that are not Mixer: nothing they send makes the adapter crash, or grow without bound (P6)."""

import socket

import grpc
import pytest

from client import METHOD
from metrics import Metric
from waiting import until

MIB = 1 << 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def peak_bytes(pid):
    """The most memory that a process ever had resident."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def check_unharmed(stage, adapter):
    """The same workers serve as at the start."""
    stage.client(adapter).send(Metric("a.txt", "good"))
    adapter.wait_output("a.txt", Metric("a.txt", "good").text())
    assert adapter.log.find("worker ended") == []


@pytest.mark.parametrize("payload", [
    b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xa5\x5a" * 50000, PREFACE, PREFACE + b"\xa5\x5a" * 2500,
    PREFACE + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x77" * 500,
], ids=["nothing", "http-1", "noise", "preface", "preface-and-noise", "huge-frame", "tls"])
def test_bytes_that_are_no_call(stage, payload):
    """Ten connections that send such bytes and go: their places are free again, the service goes on."""
    adapter = stage.start({"log.level": "debug", "workers.count": 1, "workers.max_connections": 10})
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", adapter.port)) as peer:
            try:
                peer.sendall(payload)
            except OSError:
                pass  # it was hung up on already
    adapter.wait_log("connection ended", 10)
    check_unharmed(stage, adapter)


def test_compressed_request_that_inflates(stage):
    """200 MiB of one letter, compressed to 200 KiB, is refused without being inflated in memory first."""
    adapter = stage.start({"workers.count": 1})
    pid = adapter.workers()[0]
    before = peak_bytes(pid)
    call = stage.client(adapter).channel.unary_unary(METHOD)
    with pytest.raises(grpc.RpcError) as refusal:
        call(Metric("a.txt", "bomb", 1, 200 * MIB).wire(), timeout=60, compression=grpc.Compression.Gzip)
    assert refusal.value.code().name in ("RESOURCE_EXHAUSTED", "UNIMPLEMENTED")
    assert peak_bytes(pid) - before < 64 * MIB
    check_unharmed(stage, adapter)


@pytest.mark.parametrize("messages", [0, 2, 50])
def test_wrong_number_of_messages(stage, messages):
    """A call without a request, or with several: answered in some way, and the next is served."""
    adapter = stage.start({"workers.count": 1})
    call = stage.client(adapter).channel.stream_unary(METHOD)
    try:
        call(iter([Metric("b.txt", "b").wire()] * messages), timeout=10)
    except grpc.RpcError as refusal:
        assert refusal.code().name not in ("UNAVAILABLE", "DEADLINE_EXCEEDED"), refusal
    else:
        assert messages > 0
    check_unharmed(stage, adapter)
    adapter.drain()
    assert adapter.output("b.txt") in (b"", Metric("b.txt", "b").text())


def test_calls_that_are_given_up(stage):
    """Calls whose client does not wait for the answer stand in the output once or not at all; memory does not grow."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    metric = Metric("b.txt", "gone", 50)
    for _ in range(300):
        client.begin(metric.wire()).future.cancel()
    check_unharmed(stage, adapter)
    adapter.drain()
    count, rest = divmod(len(adapter.output("b.txt")), len(metric.text()))
    assert rest == 0 and count <= 300


def test_hundreds_of_connections(stage):
    """Three hundred connections that say nothing are spread evenly, and a real client among them is served."""
    adapter = stage.start({"log.level": "debug", "workers.count": 3})
    peers = [socket.create_connection(("127.0.0.1", adapter.port)) for _ in range(300)]
    accepted = adapter.wait_log("connection accepted", 300)
    counts = [sum(line.slot == slot for line in accepted) for slot in range(3)]
    assert max(counts) - min(counts) <= 3, counts
    check_unharmed(stage, adapter)
    for peer in peers:
        peer.close()
    until(lambda: len(adapter.log.find("connection ended")) >= 300, "their ends to be seen")
