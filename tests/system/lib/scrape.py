"""The admin process as Prometheus sees it: pages over HTTP, and numbers out of /metrics."""

import http.client
import re
import socket

SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="([^"]*)"')


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket of the file system."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Metrics:
    """One scrape: its text, and each sample by name and labels."""

    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                self.samples.append((name, dict(LABEL.findall(labels or "")), float(value)))

    def all(self, name, **labels):
        """The values of every sample of that name (without the prefix) that has these labels."""
        return [value for found, own, value in self.samples
                if found == f"mygrpcadapter_{name}" and labels.items() <= own.items()]

    def total(self, name, **labels):
        """Their sum; there must be some."""
        values = self.all(name, **labels)
        assert values, f"no {name} {labels}"
        return sum(values)

    def names(self):
        """Of all metrics, as their TYPE lines have them."""
        return set(re.findall(r"^# TYPE (\w+) ", self.text, flags=re.MULTILINE))


class Admin:
    """An adapter's admin.address."""

    def __init__(self, adapter, path=None):
        self.path = path
        self.port = None if path else adapter.wait_log("metrics are served")[-1].number("port")

    def connect(self):
        """A connection to it."""
        if self.path:
            return UnixConnection(self.path)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def get(self, path, method="GET", body=None):
        """Status, headers and text of an answer."""
        connection = self.connect()
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def metrics(self):
        """What /metrics says now."""
        status, headers, text = self.get("/metrics")
        assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), (status, headers)
        return Metrics(text)
