"""Outputs: several at once, many spellings of one, standard output, the order of records, large ones."""

import os
import subprocess
import sys

import pytest

from metrics import Metric
from processes import resume, stop
from records import check_exactly_once, check_order, idents
from traffic import Sender
from waiting import until

MIB = 1 << 20


def test_several_handlers(stage):
    """Calls with different file_path stand in different files, each in its order, and only there."""
    adapter = stage.start()
    clients = [stage.client(adapter) for _ in range(3)]
    names = ["a.txt", "b.txt", "sub/c.txt", "sub/d/e.txt"]
    expected = dict.fromkeys(names, b"")
    for number in range(60):
        metric = Metric(names[number % 4], f"n-{number}", 1 + number % 3)
        # One connection for each pair of files: only calls of one connection have an order.
        clients[number % 2].send(metric)
        expected[metric.path] += metric.text()
    for name in names:
        adapter.wait_output(name, expected[name])
    adapter.drain()
    for name in names:
        assert adapter.output(name) == expected[name]


def test_spellings_of_one_path(stage):
    """Relative, absolute, with empty and "." components, through the root's own trailing slash: one output."""
    adapter = stage.start()
    client = stage.client(adapter)
    spellings = ["d/a.txt", "./d/a.txt", "d//a.txt", "d/./a.txt", f"{adapter.root}/d/a.txt", f"{adapter.root}//d/a.txt",
                 f"{adapter.root}/./d/./a.txt", "././/d///a.txt"]
    metrics = [Metric(path, f"s-{number}") for number, path in enumerate(spellings * 3)]
    for metric in metrics:
        client.send(metric)
    adapter.wait_output("d/a.txt", b"".join(metric.text() for metric in metrics))
    assert [path.name for path in adapter.root.iterdir() if not path.name.startswith(".")] == ["d"]


def test_root_with_a_trailing_slash(stage):
    """A root configured with a slash at its end is the same root."""
    adapter = stage.adapter()
    adapter.settings["output.root"] = f"{adapter.root}/"
    adapter.start()
    client = stage.client(adapter)
    metrics = [Metric("a.txt", "one"), Metric(f"{adapter.root}/a.txt", "two")]
    for metric in metrics:
        client.send(metric)
    adapter.wait_output("a.txt", b"".join(metric.text() for metric in metrics))


def test_empty_path_is_standard_output(stage):
    """Calls without file_path go to standard output, with a newline more, in order and whole."""
    adapter = stage.start()
    client = stage.client(adapter)
    metrics = [Metric("", f"o-{number}", 1 + number % 50) for number in range(100)]
    for metric in metrics:
        client.send(metric)
    expected = b"".join(metric.text() for metric in metrics)
    until(lambda: adapter.records_on_stdout() == expected, "standard output")


def test_slow_reader_of_standard_output(stage):
    """While nobody reads the pipe that is standard output, output files go on; read again, it has everything once."""
    reader, writer = os.pipe()
    adapter = stage.adapter().spawn(stdout=writer)
    os.close(writer)
    adapter.port = int(adapter.wait_log("listening")[0].fields["address"].rpartition(":")[2])
    client = stage.client(adapter)
    on_stdout = [Metric("", f"o-{number}", 20) for number in range(200)]
    in_file = [Metric("a.txt", f"f-{number}") for number in range(200)]
    for one, other in zip(on_stdout, in_file):
        client.send(one)
        client.send(other)
    adapter.wait_output("a.txt", b"".join(metric.text() for metric in in_file))
    with open(reader, "rb") as pipe:
        expected = b"".join(metric.text() for metric in on_stdout)
        assert pipe.readline().startswith(b"listening on")
        assert pipe.read(len(expected)) == expected
        adapter.drain()
        assert pipe.read() == b""


@pytest.mark.parametrize("size_bytes", [64 << 10, 16 * MIB])
def test_order_of_each_connection(stage, size_bytes):
    """Sequential calls of one connection stand in that order (P4), also while others write to the same files and while
    segments are rotated all the time."""
    adapter = stage.start({"workers.count": 3, "segments.size_bytes": size_bytes})
    paths = ("shared.txt", "other.txt")
    senders = [Sender(adapter, f"s{number}", paths, (1, 7, 30)).start(count=250) for number in range(5)]
    for sender in senders:
        sender.join()
        assert sender.failures == []
    adapter.drain()
    sent = {ident: metric for sender in senders for ident, metric in sender.sent.items()}
    for path in paths:
        found = idents(adapter.output(path), sent)
        expected = [ident for ident, metric in sent.items() if metric.path == path]
        check_exactly_once(found, expected, expected)
        for sender in senders:
            check_order(found, list(sender.sent))


FLIP = """
import os, sys
while True:
    os.close(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY))
    os.unlink(sys.argv[1])
"""


def test_file_that_comes_and_goes(stage):
    """No call is refused because its file is made, or removed, at the moment its path is checked, as the collector makes
    each new one while other workers check the same path."""
    adapter = stage.start()
    client = stage.client(adapter)
    flipper = subprocess.Popen([sys.executable, "-c", FLIP, str(adapter.root / "flip.txt")])
    try:
        # Each spelling of the name is checked for itself.
        spellings = [f"{number:011b}".replace("0", "./").replace("1", ".//") for number in range(1500)]
        metrics = [Metric(f"{spelling}flip.txt", "f") for spelling in spellings]
        answers = [client.call(metric.wire()) for metric in metrics]
    finally:
        flipper.kill()
        flipper.wait()
    refused = [answer for answer in answers if not answer.ok]
    assert refused == [], f"{len(refused)} calls were refused: {refused[:3]}"


def test_order_through_bursts_of_a_stopped_collector(stage):
    """Records that pile up in many segments while the collector stands still are merged in order."""
    adapter = stage.start({"segments.size_bytes": 64 << 10, "workers.count": 1})
    stop(adapter.collector())
    sender = Sender(adapter, "s", ("a.txt", "b.txt"), (40,)).start(count=120)
    sender.join()
    assert sender.failures == [] and len(adapter.segment_files()) > 5
    resume(adapter.collector())
    for path in ("a.txt", "b.txt"):
        adapter.wait_output(path, b"".join(m.text() for m in sender.sent.values() if m.path == path))


LARGE = {
    "400-instances": (Metric("a.txt", "many", 400), {}),
    "several-mib": (Metric("a.txt", "wide", 1, 3 * MIB), {}),
    "larger-than-a-segment": (Metric("a.txt", "larger", 1, 200 << 10), {"segments.size_bytes": 64 << 10}),
    "many-segments-long": (Metric("a.txt", "longest", 400, 9000), {"segments.size_bytes": 64 << 10}),
}


@pytest.mark.parametrize("case", LARGE)
def test_large_record(stage, case):
    """A call of hundreds of instances, of several MiB, or larger than segments.size_bytes is one whole record, and
    stands in order between small ones."""
    metric, settings = LARGE[case]
    adapter = stage.start(settings)
    client = stage.client(adapter)
    metrics = [Metric("a.txt", "before"), metric, Metric("a.txt", "between"), metric, Metric("a.txt", "after")]
    for one in metrics:
        client.send(one)
    adapter.wait_output("a.txt", b"".join(one.text() for one in metrics))


def test_concurrent_calls_of_one_connection(stage):
    """Calls in flight at once on one connection are all answered, and each is whole and there once."""
    adapter = stage.start()
    client = stage.client(adapter)
    metrics = {f"c-{number}": Metric("a.txt", f"c-{number}", 1 + number % 9) for number in range(500)}
    pending = [client.begin(metric.wire()) for metric in metrics.values()]
    assert all(call.answer().ok for call in pending)
    adapter.drain()
    check_exactly_once(idents(adapter.output("a.txt"), metrics), list(metrics), list(metrics))


def test_text_that_looks_like_a_record(stage):
    """Values are written as they are, whatever they hold: a newline, the words of a record's head, no UTF-8."""
    adapter = stage.start()
    client = stage.client(adapter)
    metric = Metric("a.txt", "x\n  }\nHandleMetric invoked with:\n\tz")
    client.send(metric)
    client.send(metric)
    adapter.wait_output("a.txt", metric.text() * 2)
