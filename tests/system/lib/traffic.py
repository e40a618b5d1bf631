"""Connections that call one after the other in threads of their own, and note what was acknowledged."""

import threading
import time

from client import Client
from metrics import Metric
from relay import Relay


class Sender:
    """One client in a thread: calls made one after the other, each after the last one's answer (P4).

    With `single` it never reconnects: all its calls are those of one connection, and after the first failure it ends.
    """

    def __init__(self, adapter, name, paths=("out.txt",), instances=(1,), single=False):
        self.name = name
        self.paths = paths
        self.instances = instances
        self.single = single
        self.sent = {}           # ident -> Metric, in order
        self.acknowledged = []   # idents, in order
        self.failures = []       # (ident, Answer)
        self.client = Client(Relay(adapter.port).target if single else adapter.target)
        self.halt = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(0,), daemon=True)

    def next_metric(self):
        """The next call: paths and sizes take turns."""
        number = len(self.sent)
        path = self.paths[number % len(self.paths)]
        instances = self.instances[number % len(self.instances)]
        metric = Metric(path, f"{self.name}-{number}", instances)
        self.sent[metric.ident] = metric
        return metric

    def call_once(self):
        """Makes one call; True if it was acknowledged."""
        metric = self.next_metric()
        answer = self.client.call(metric.wire())
        if answer.ok:
            self.acknowledged.append(metric.ident)
        else:
            self.failures.append((metric.ident, answer))
        return answer.ok

    def run(self, count):
        """Calls until told to stop, or so often; after a failure, which is never repeated, it rests a moment."""
        while not self.halt.is_set() and (count == 0 or len(self.sent) < count):
            if not self.call_once():
                if self.single:
                    return
                time.sleep(0.02)

    def start(self, count=0):
        """Begins: `count` calls, 0 = until stop()."""
        self.thread = threading.Thread(target=self.run, args=(count,), daemon=True)
        self.thread.start()
        return self

    def join(self, seconds=60.0):
        """Waits until it is done, and ends the connection."""
        self.thread.join(seconds)
        assert not self.thread.is_alive(), f"{self.name} hangs"
        self.client.close()

    def stop(self):
        """Ends it after the call under way."""
        self.halt.set()
        self.join()


def stop_all(senders):
    """Stops them all, then waits for each."""
    for sender in senders:
        sender.halt.set()
    for sender in senders:
        sender.join()
