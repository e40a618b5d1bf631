"""The answers to many calls that came together leave together (TCP_CORK); that to a single call waits for nobody."""

import re
import subprocess

from client import Client
from metrics import Metric
from processes import resume, stop
from relay import Relay
from waiting import until

CALLS = 200
CORK = re.compile(r"setsockopt\(\d+, SOL_TCP, TCP_CORK, \[([01])\], 4\) = 0")


class CountingRelay(Relay):
    """A relay that knows how many bytes came from the client."""

    def __init__(self, port):
        self.from_client = 0
        super().__init__(port)

    def pass_on(self, client, server):
        """Counts what is received through the client's socket."""
        relay = self

        class Counted:
            """The client's socket."""

            def __getattr__(self, name):
                return getattr(client, name)

            def recv(self, size):
                """Receives and counts."""
                data = client.recv(size)
                relay.from_client += len(data)
                return data

        super().pass_on(Counted(), server)


class Corks:
    """Follows what a process does to TCP_CORK, by strace."""

    def __init__(self, adapter, pid):
        self.file = adapter.home / "strace"
        said = adapter.home / "strace.log"
        command = ["strace", "-f", "-e", "signal=none", "-e", "trace=setsockopt", "-o", self.file, "-p", str(pid)]
        with open(said, "wb") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        until(lambda: f"Process {pid} attached" in said.read_text(), lambda: f"strace to attach: {said.read_text()}")

    def end(self):
        """The values the option was set to, in order, until the process ended."""
        self.process.wait()
        return [int(value) for value in CORK.findall(self.file.read_text())]


def test_the_answers_of_a_burst_leave_together(stage):
    """200 calls wait for a worker that is held: the cork is put in, and always pulled again."""
    adapter = stage.start({"workers.count": 1})
    relay = CountingRelay(adapter.port)
    client = Client(relay.target)
    client.send(Metric("out.txt", "first"))
    worker = adapter.workers()[0]
    request = Metric("out.txt", "burst").wire()
    sent = relay.from_client
    stop(worker)
    corks = Corks(adapter, worker)
    pending = [client.begin(request) for _ in range(CALLS)]
    until(lambda: relay.from_client - sent > CALLS * len(request), "all requests to be on their way")
    resume(worker)
    assert all(call.answer().ok for call in pending)
    client.close()
    adapter.drain()
    values = corks.end()
    assert 1 in values and values[-1] == 0, values


def test_single_calls_are_answered_without_it(stage):
    """One call after the other, on two connections."""
    adapter = stage.start({"workers.count": 1})
    clients = [Client(adapter.target) for _ in range(2)]
    for client in clients:
        client.send(Metric("out.txt", "first"))
    corks = Corks(adapter, adapter.workers()[0])
    for number in range(50):
        clients[number % 2].send(Metric("out.txt", f"call-{number}"))
    for client in clients:
        client.close()
    adapter.drain()
    assert 1 not in corks.end()
