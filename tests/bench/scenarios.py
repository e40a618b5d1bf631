"""What is measured. Each scenario is a function that yields rows; servers take turns, round by round, so that whatever else
the machine does falls on all of them alike."""

import contextlib
import os
import threading
import time
from statistics import median
from typing import NamedTuple

from load import Client, Request, percentile, steady
from servers import Adapter, Nothing, Walkthrough, memory_of

ADAPTER, MACHINE = "adapter", "adapter, machine"
NOTHING, GO_QUIET, GO_LOGGING = "do-nothing", "Go, quiet", "Go, logging"
PLAIN = "write(2)"
REQUESTS = {"1 instance": "0000-post", "400 instances": "0066-batch-400"}


class Row(NamedTuple):
    """One number of one round."""

    scenario: str
    server: str
    case: str
    round: int
    metric: str
    value: float


class Form(NamedTuple):
    """How long to measure."""

    rounds: int
    seconds: float  # of one run, about
    settle: float   # seconds that memory has to settle
    growth: int     # MiB that the output grows to


FORMS = {"smoke": Form(1, 0.1, 1, 64), "short": Form(5, 1.2, 25, 4096), "full": Form(9, 4.0, 25, 4096)}


class Bench:
    """Programs, the place for their files, and how long to measure."""

    def __init__(self, program, nothing, walkthrough, volume, form):
        self.program = program
        self.nothing = nothing
        self.walkthrough = walkthrough  # None: there is none
        self.volume = volume
        self.form = form
        self.rounds = form.rounds
        self.seconds = form.seconds
        self.workers = len(os.sched_getaffinity(0))
        self.homes = 0
        self.saturation = {}  # calls per second of the adapter, by case

    def home(self):
        """A directory of its own for a server."""
        self.homes += 1
        return self.volume / str(self.homes)

    def make(self, name):
        """A server by its name."""
        if name == NOTHING:
            return Nothing(name, self.home(), self.nothing, self.workers)
        if name in (GO_QUIET, GO_LOGGING):
            return Walkthrough(name, self.home(), self.walkthrough, name == GO_QUIET)
        durability = "machine" if name == MACHINE else "process"
        return Adapter(name, self.home(), self.program, self.workers, {"segments.durability": durability})

    @contextlib.contextmanager
    def running(self, *names):
        """The servers of these names that there are, started."""
        servers = [self.make(name) for name in names if self.walkthrough or name not in (GO_QUIET, GO_LOGGING)]
        try:
            for server in servers:
                server.start()
            yield servers
        finally:
            for server in servers:
                server.stop()
                server.output.unlink(missing_ok=True)


def in_turn(items, number):
    """The items, another one first in each round."""
    start = number % len(items)
    return items[start:] + items[:start]


def saturation(bench):
    """All servers as fast as they go: 4 connections with 32 calls in flight each."""
    with bench.running(ADAPTER, NOTHING, GO_QUIET, GO_LOGGING) as servers:
        for case, golden in REQUESTS.items():
            request = Request(golden)
            clients = [Client(server, request) for server in servers]
            calls = {client: client.calls_for(bench.seconds) for client in clients}
            for number in range(bench.rounds):
                for client in in_turn(clients, number):
                    run = client.run(calls[client])
                    yield Row("saturation", client.server.name, case, number, "rate", run.rate)
                    yield Row("saturation", client.server.name, case, number, "cpu_us", run.cpu_us)
                    if client.server.name == ADAPTER:
                        bench.saturation.setdefault(case, []).append(run.rate)


def adapter_rate(bench, case):
    """What the adapter did at saturation; measured now if that scenario was left out."""
    if case not in bench.saturation:
        with bench.running(ADAPTER) as servers:
            client = Client(servers[0], Request(REQUESTS[case]))
            calls = client.calls_for(bench.seconds)
            bench.saturation[case] = [client.run(calls).rate for _ in range(3)]
    return median(bench.saturation[case])


def latency(bench):
    """Answers at half of what the adapter can take: the same rate for all."""
    rate = adapter_rate(bench, "1 instance") / 2
    with bench.running(ADAPTER, NOTHING, GO_QUIET) as servers:
        clients = [Client(server, Request(REQUESTS["1 instance"])) for server in servers]
        for client in clients:
            client.run(int(rate / 4), steady(rate))
        for number in range(bench.rounds):
            for client in in_turn(clients, number):
                run = client.run(int(rate * bench.seconds * 2), steady(rate), log=True)
                for name, part in (("p50", 0.50), ("p99", 0.99), ("p99.9", 0.999)):
                    yield Row("latency", client.server.name, "1 instance", number, f"{name}_us",
                              percentile(run.latencies, part) * 1e6)


def durability(bench):
    """OK that survives the processes against OK that survives the machine, with many calls in flight and with one."""
    with bench.running(ADAPTER, MACHINE) as servers:
        clients = [Client(server, Request(REQUESTS["1 instance"])) for server in servers]
        for case, options in (("128 in flight", ["-c4", "-m32"]), ("1 in flight", ["-c1", "-m1"])):
            calls = {client: client.calls_for(bench.seconds, options) for client in clients}
            for number in range(bench.rounds):
                for client in in_turn(clients, number):
                    run = client.run(calls[client], options)
                    yield Row("durability", client.server.name, case, number, "rate", run.rate)


def memory(bench):
    """The workers' memory before any call, and a while after a burst of large ones."""
    with bench.running(ADAPTER) as servers:
        server = servers[0]
        def rows(case):
            worst = max((memory_of(pid) for pid in server.workers()), key=lambda used: used["rss"])
            return [Row("memory", server.name, case, 0, metric, value) for metric, value in worst.items()]
        time.sleep(2)
        yield from rows("at rest")
        client = Client(server, Request(REQUESTS["400 instances"]))
        client.run(client.calls_for(bench.seconds * 4))
        yield from rows("after a burst")
        time.sleep(bench.form.settle)
        yield from rows("settled")


class SizeWatch:
    """Notes, each millisecond, how large a file is."""

    def __init__(self, path):
        self.path = path
        self.sizes = []
        self.halt = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        """Until told to stop."""
        while not self.halt.wait(0.001):
            self.sizes.append((time.time(), os.stat(self.path).st_size))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.halt.set()
        self.thread.join()


def lags(answered, sizes, text_bytes):
    """For each answer, in order, the seconds until so many records stood in the output (0 if they did before)."""
    found = []
    at = 0
    for number, moment in enumerate(answered, 1):
        while at < len(sizes) and sizes[at][1] < number * text_bytes:
            at += 1
        if at == len(sizes):
            break
        found.append(max(0.0, sizes[at][0] - moment))
    return sorted(found)


def lag(bench):
    """From an answer until its record stands in the output, at 80 % of what the adapter can take."""
    with bench.running(ADAPTER) as servers:
        for case, golden in REQUESTS.items():
            rate = adapter_rate(bench, case) * 0.8
            client = Client(servers[0], Request(golden))
            client.run(max(100, int(rate / 4)), steady(rate))
            for number in range(bench.rounds):
                client.server.clear()
                with SizeWatch(client.server.output) as watch:
                    run = client.run(int(rate * bench.seconds * 2), steady(rate), log=True, keep=True)
                    time.sleep(0.1)
                seen = lags(run.answered, watch.sizes, client.text_bytes)
                yield Row("lag", ADAPTER, case, number, "p50_ms", percentile(seen, 0.50) * 1e3)
                yield Row("lag", ADAPTER, case, number, "p99_ms", percentile(seen, 0.99) * 1e3)


def instances(bench):
    """CPU per call as a call holds more instances."""
    with bench.running(ADAPTER, NOTHING) as servers:
        for count in (1, 10, 100, 400, 1000, 4000):
            clients = [Client(server, Request(REQUESTS["400 instances"], count)) for server in servers]
            calls = {client: client.calls_for(bench.seconds * 0.8, least=20) for client in clients}
            for number in range(min(bench.rounds, 3)):
                for client in in_turn(clients, number):
                    run = client.run(calls[client])
                    yield Row("instances", client.server.name, str(count), number, "cpu_us", run.cpu_us)


def connections(bench):
    """CPU per call as the same calls in flight, 128 where that is possible, come over more connections; what it costs to
    take the connections included."""
    with bench.running(ADAPTER, NOTHING) as servers:
        clients = [Client(server, Request(REQUESTS["1 instance"])) for server in servers]
        for count in (1, 4, 16, 64, 256, 1000):
            options = [f"-c{count}", f"-m{max(1, 128 // count)}"]
            calls = {client: client.calls_for(bench.seconds, options, least=count * 10) for client in clients}
            for number in range(min(bench.rounds, 3)):
                for client in in_turn(clients, number):
                    run = client.run(calls[client], options)
                    yield Row("connections", client.server.name, str(count), number, "cpu_us", run.cpu_us)


def plain_writes(file, size):
    """Appends that many bytes by write(2), a MiB at a time; returns the CPU seconds it took."""
    piece = bytes(1 << 20)
    begun = time.process_time()
    for at in range(0, size, len(piece)):
        file.write(piece[:size - at])
    return time.process_time() - begun


def growth(bench):
    """Calls per second as the output file grows to 4 GB, in eight steps; before each, as much is written to a file beside it
    by nothing but write(2). Memory that a virtual machine has not had from its host yet costs many times as much to fill: what
    both show at a step is that."""
    step = bench.form.growth // 8
    path = bench.volume / "plain"
    with bench.running(ADAPTER) as servers, open(path, "wb", buffering=0) as plain:
        path.unlink()
        client = Client(servers[0], Request(REQUESTS["400 instances"]))
        client.calls_for(bench.seconds)
        calls = (step << 20) // client.text_bytes
        for number in range(8):
            case = str((number + 1) * step)
            yield Row("growth", PLAIN, case, 0, "cpu_us", plain_writes(plain, calls * client.text_bytes) / calls * 1e6)
            run = client.run(calls, keep=number > 0)
            yield Row("growth", ADAPTER, case, 0, "rate", run.rate)
            yield Row("growth", ADAPTER, case, 0, "cpu_us", run.cpu_us)


ALL = {scenario.__name__: scenario
       for scenario in (saturation, latency, durability, memory, lag, instances, connections, growth)}
