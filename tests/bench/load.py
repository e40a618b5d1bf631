"""Requests made from the golden ones, and h2load that sends them."""

import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from servers import REPOSITORY

METHOD = "/metric.HandleMetricService/HandleMetric"
GOLDEN = REPOSITORY / "tests" / "golden"
GOLDEN_PATH = b"/volume/out.txt"
MERGE_SECONDS = 120


def varint(number):
    """A number as protobuf writes it."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def read_varint(data, at):
    """The number at `at`, and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < 0x80:
            return number, at


def fields_of(message):
    """The fields of a message that has only those with a length: (number, bytes)."""
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        size, at = read_varint(message, at)
        yield tag >> 3, message[at:at + size]
        at += size


def enclosed(number, content):
    """A field with a length."""
    return varint(number << 3 | 2) + varint(len(content)) + content


class Request:
    """A golden request, with `instances` of its instances (repeated where it has fewer; all by default)."""

    def __init__(self, golden, instances=None):
        message = (GOLDEN / f"{golden}.pb").read_bytes()
        parts = list(fields_of(message))
        own = [content for number, content in parts if number == 1]
        self.count = instances or len(own)
        self.golden = golden if instances is None else None
        self.instances = b"".join(enclosed(1, own[i % len(own)]) for i in range(self.count))

    def wire(self, path):
        """The request for a file."""
        params = enclosed(1, str(path).encode())
        config = enclosed(1, b"type.googleapis.com/adapter.mygrpcadapter.config.Params") + enclosed(2, params)
        return self.instances + enclosed(2, config)

    def expected(self, path):
        """The text that the golden file has for it; None for a request of our own making."""
        if self.golden is None:
            return None
        return (GOLDEN / f"{self.golden}.txt").read_bytes().replace(GOLDEN_PATH, str(path).encode())


@dataclass
class Run:
    """What one run of h2load came to."""

    calls: int
    seconds: float
    cpu_seconds: float
    latencies: list = field(default_factory=list)  # of each call, in seconds
    answered: list = field(default_factory=list)   # when each was, in seconds since the epoch

    @property
    def rate(self):
        """Calls per second."""
        return self.calls / self.seconds

    @property
    def cpu_us(self):
        """Microseconds of CPU per call."""
        return self.cpu_seconds / self.calls * 1e6


def wait_for_output(server, size):
    """Waits until the output has that many bytes; more, or fewer for long, are a failure of the server's."""
    deadline = time.monotonic() + MERGE_SECONDS
    while (found := server.output.stat().st_size) != size:
        if found > size or time.monotonic() > deadline:
            raise RuntimeError(f"{server.name}: {found} bytes in the output instead of {size}; were calls refused? "
                               f"see {server.log}")
        time.sleep(0.005)


class Client:
    """Sends one request to one server, again and again."""

    def __init__(self, server, request):
        self.server = server
        wire = request.wire(server.output)
        self.body = server.home / "request.bin"
        self.body.write_bytes(b"\0" + len(wire).to_bytes(4, "big") + wire)
        server.clear()
        self.text_bytes = 0
        self.h2load(1, ["-c1", "-m1"])
        if server.writes:
            self.text_bytes = self.learn_text(request)

    def learn_text(self, request):
        """The bytes of the request's text, from the one that stands in the output now; it must be the golden one."""
        deadline = time.monotonic() + 5
        expected = request.expected(self.server.output)
        while not (text := self.server.output.read_bytes()).endswith(b"}\n") and time.monotonic() < deadline:
            time.sleep(0.01)
        if expected is not None and text != expected:
            raise RuntimeError(f"{self.server.name} does not write what stands in tests/golden/{request.golden}.txt")
        return len(text)

    def h2load(self, calls, options):
        """Runs h2load; returns the seconds it took. Every call must be answered with HTTP's 200; whether gRPC's status
        was OK is seen by the output."""
        command = ["h2load", "-n", str(calls), *options, "-d", str(self.body), "-H", "content-type: application/grpc", "-H",
                   "te: trailers", f"http://127.0.0.1:{self.server.port}{METHOD}"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        match = re.search(r"finished in ([\d.]+)(us|ms|s),", text)
        if match is None or f"status codes: {calls} 2xx" not in text:
            raise RuntimeError(f"{self.server.name}: calls failed\n{text}")
        return float(match.group(1)) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[match.group(2)]

    def run(self, calls, options=("-c4", "-m32"), log=False, keep=False):
        """Makes so many calls; the CPU is counted until the last record stands in the output, which is emptied before
        unless it is to be kept."""
        server = self.server
        if not keep:
            server.clear()
        already = server.output.stat().st_size
        path = server.home / "calls.log"
        path.unlink(missing_ok=True)
        tree = server.tree()
        before = server.cpu_seconds(tree)
        seconds = self.h2load(calls, [*options, *([f"--log-file={path}"] if log else [])])
        if server.writes:
            wait_for_output(server, already + calls * self.text_bytes)
        run = Run(calls, seconds, server.cpu_seconds(tree) - before)
        if log:
            rows = [line.split("\t") for line in path.read_text().splitlines()]
            run.latencies = sorted(int(row[2]) / 1e6 for row in rows)
            run.answered = sorted((int(row[0]) + int(row[2])) / 1e6 for row in rows)
        return run

    def calls_for(self, seconds, options=("-c4", "-m32"), least=100):
        """How many calls take about so long, found out by a few; they warm it up as well."""
        calls = least
        while True:
            run = self.run(calls, options)
            if run.seconds >= seconds / 5 or run.calls >= 2_000_000:
                return max(least, int(run.rate * seconds))
            calls = max(calls * 2, int(run.rate * seconds / 4))


def steady(rate):
    """Options of h2load for so many calls a second. Each of its connections sends what is due once in 10 ms; many
    connections that began one after the other make that an even stream."""
    return ["-c64", "-m8", "-r1", "--rate-period=1ms", f"--rps={max(1, round(rate / 64))}"]


def percentile(ordered, part):
    """Of an ordered list."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
