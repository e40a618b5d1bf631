"""Limits that the system sets to a process, reached: what they stop waits or is refused and says so; all else goes on."""

import os
import pty
import signal
import socket
import subprocess

import pytest

from metrics import Metric
from processes import send
from waiting import until

KIB = 1 << 10
MIB = 1 << 20


def set_limit(pid, *options):
    """Sets limits of a process that runs."""
    subprocess.run(["prlimit", "--pid", str(pid), *options], check=True)


def check_ended(adapter, count=0):
    """So many children have died."""
    ended = adapter.log.find("worker ended") + adapter.log.find("collector ended")
    assert len(ended) == count, ended


def test_an_output_at_the_limit_on_its_size(stage):
    """The output waits, as on a full volume; others are written; when the limit is raised it goes on, whole."""
    adapter = stage.start({"segments.size_bytes": 4 * MIB}, wrapper=("prlimit", f"--fsize={32 * MIB}:unlimited"))
    client = stage.client(adapter)
    large = [client.send(Metric("large.txt", f"l-{number}", padding=MIB)) for number in range(40)]
    adapter.wait_log("cannot write an output; its records are kept and tried again", output="large.txt")
    small = [client.send(Metric(f"small-{number % 6}.txt", f"s-{number}")) for number in range(60)]
    for output in range(6):
        adapter.wait_output(f"small-{output}.txt", b"".join(metric.text() for metric in small[output::6]))
    assert len(adapter.output("large.txt")) == 32 * MIB
    check_ended(adapter)
    set_limit(adapter.collector(), "--fsize=unlimited")
    adapter.wait_output("large.txt", b"".join(metric.text() for metric in large))
    check_ended(adapter)


def test_segments_over_the_limit_on_a_file(stage):
    """A worker that may not make a segment refuses, names the limit, and is not healthy; then it serves again."""
    adapter = stage.start({"workers.count": 1}, wrapper=("prlimit", f"--fsize={100 * KIB}:unlimited"))
    client = stage.client(adapter)
    answer = client.call(Metric("a.txt", "first").wire())
    assert answer.status == "RESOURCE_EXHAUSTED" and "RLIMIT_FSIZE) is 102400 bytes" in answer.details, answer
    assert not healthy(adapter)
    check_ended(adapter)
    for pid in (adapter.workers()[0], adapter.collector()):
        set_limit(pid, "--fsize=unlimited")
    until(lambda: healthy(adapter), "the worker to be healthy")
    metric = client.send(Metric("a.txt", "second"))
    adapter.wait_output("a.txt", metric.text())


def healthy(adapter):
    """What `health` says."""
    return subprocess.run([adapter.program, "health", adapter.target], check=False, capture_output=True).returncode == 0


def connect_until(adapter, connections, count):
    """Connections to the port, more than a worker has descriptors for; the kernel takes those that wait."""
    while len(connections) < count:
        connections.append(socket.create_connection(("127.0.0.1", adapter.port)))


def test_connections_leave_what_calls_need(stage):
    """Connections that would take the last descriptors of a worker wait; calls on the others are answered, new outputs and
    new segments included; when connections end, those that wait are served."""
    settings = {"workers.count": 1, "segments.size_bytes": 64 * KIB}
    adapter = stage.start(settings, wrapper=("prlimit", "--nofile=100:100"))
    client = stage.client(adapter)
    client.send(Metric("first.txt"))
    connections = []
    try:
        connect_until(adapter, connections, 100)
        adapter.wait_log("cannot take a connection")
        for number in range(100):
            client.send(Metric(f"o-{number % 10}.txt", f"n-{number}", padding=8 * KIB))
        waiting = stage.client(adapter).begin(Metric("waiting.txt").wire(), wait_for_ready=True)
    finally:
        for connection in connections:
            connection.close()
    assert waiting.answer().ok
    until(lambda: adapter.output("o-9.txt").count(b"'n-") == 10, "the output")
    check_ended(adapter)


def test_settings_beyond_the_descriptors(stage):
    """A start warns of settings that the limit does not let be reached, with both numbers; where it cannot work at all it
    is refused, and so it is by -t."""
    adapter = stage.start({"workers.count": 1, "workers.max_connections": 200, "output.max_files": 20},
                          wrapper=("prlimit", "--nofile=128:128"))
    event = "the limit on open files (RLIMIT_NOFILE) is low for a setting"
    line, = adapter.wait_log(event)
    assert line.fields["setting"] == "workers.max_connections"
    assert line.number("value") == 200 and line.number("limit") == 128 and line.number("possible") == 39
    for flags in (["-t"], []):
        command = ["prlimit", "--nofile=40:40", str(adapter.program), *adapter.arguments(), *flags]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert ended.returncode == 78 and "RLIMIT_NOFILE) is 40" in ended.stderr, ended
        assert "raise it" in ended.stderr


def test_more_outputs_than_descriptors(stage):
    """A collector that can have no more descriptors closes those it does not need: every output gets all of its records,
    in each round, and after a restart that finds more ledgers than it may open."""
    adapter = stage.start({"workers.count": 1}, wrapper=("prlimit", "--nofile=64:64"))
    client = stage.client(adapter)
    for end in (lambda: None, lambda: send(adapter.collector())):
        for number in range(300):
            client.send(Metric(f"o-{number % 100}.txt", f"n-{number}"))
        end()
        for output in range(100):
            until(lambda name=f"o-{output}.txt": adapter.output(name).count(b"'n-") % 3 == 0 and adapter.output(name),
                  f"all of output {output}")
    for output in range(100):
        text = b"".join(Metric(f"o-{output}.txt", f"n-{number}").text() for number in range(output, 300, 100))
        adapter.wait_output(f"o-{output}.txt", text * 2)
    check_ended(adapter, 1)


def fill(fd):
    """Fills a pipe, a socket or a terminal that nobody reads, without a change to the descriptor that others have."""
    try:
        while os.write(fd, b"x" * 512):
            pass
    except BlockingIOError:
        pass


def unread_pipe():
    """The end to read and the end to write of a full pipe."""
    reader, writer = os.pipe()
    own = os.open(f"/proc/self/fd/{writer}", os.O_WRONLY | os.O_NONBLOCK)
    fill(own)
    os.close(own)
    return reader, writer


def unread_socket():
    """The same of a stream of sockets, as the journal's is one."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    fill(writer.fileno())
    writer.setblocking(True)
    return reader.detach(), writer.detach()


def unread_terminal():
    """The same of a terminal."""
    reader, writer = pty.openpty()
    own = os.open(f"/proc/self/fd/{writer}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    fill(own)
    os.close(own)
    return reader, writer


@pytest.mark.parametrize("make", [unread_pipe, unread_socket, unread_terminal])
def test_a_log_that_nobody_reads(stage, make):
    """Nobody waits for the reader of standard error: calls are answered, a child is replaced, TERM drains; and the first
    line that goes out again says how many did not."""
    reader, writer = make()
    adapter = stage.adapter({"workers.count": 1, "log.level": "debug"})
    adapter.spawn(stderr=writer)
    adapter.wait_listening()
    client = stage.client(adapter)
    for number in range(100):
        client.send(Metric(f"o-{number}.txt"))
    assert client.call(b"no request").status == "INVALID_ARGUMENT"
    until(lambda: adapter.output("o-99.txt") == Metric("o-99.txt").text(), "the output")
    os.set_blocking(reader, False)
    empty(reader)
    client.send(Metric("once-more.txt"))
    lines = until(lambda: empty(reader), "a line")
    assert b"lines_lost=" in lines, lines
    fill_again = os.open(f"/proc/self/fd/{writer}", os.O_WRONLY | os.O_NONBLOCK) if make is unread_pipe else None
    if fill_again is not None:
        fill(fill_again)
    adapter.tell(signal.SIGTERM)
    assert adapter.wait_end() == 0


def empty(fd):
    """All that there is to read."""
    read = b""
    try:
        while True:
            read += os.read(fd, 65536)
    except BlockingIOError:
        return read


def test_standard_output_that_nobody_reads(stage):
    """The line that tells the port is not waited for either: it serves, and drains."""
    reader, writer = unread_pipe()
    adapter = stage.adapter({"workers.count": 1})
    adapter.spawn(stdout=writer)
    adapter.port = adapter.wait_log("listening")[0].fields["address"].rpartition(":")[2]
    metric = stage.client(adapter).send(Metric("a.txt", "first"))
    adapter.wait_output("a.txt", metric.text())
    adapter.drain()
    os.close(reader)
