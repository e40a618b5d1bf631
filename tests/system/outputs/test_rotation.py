"""Rotation: whole records, each in one file, in order; as many files as are to be kept."""

import os
import signal
import time

import pytest

from metrics import Metric
from processes import send
from records import check_exactly_once, check_order, idents, split
from traffic import Sender, stop_all
from waiting import until


def rotated(adapter, name="a.txt"):
    """The numbers of the rotated files there are."""
    prefix = name + "."
    names = [path.name for path in adapter.root.iterdir()]
    return sorted(int(found[len(prefix):]) for found in names if found.startswith(prefix))


def wait_begun(adapter, metric):
    """Waits until a new file has been begun with this record."""
    until(lambda: adapter.output("a.txt") == metric.text(), lambda: f"{metric.ident}; {adapter.output('a.txt')[-400:]}")


def check_all(adapter, senders):
    """Every acknowledged record stands once in the output and its rotated files, whole, and each connection's in
    order."""
    sent = {ident: metric for sender in senders for ident, metric in sender.sent.items()}
    acknowledged = [ident for sender in senders for ident in sender.acknowledged]
    for number in rotated(adapter):
        idents(adapter.output(f"a.txt.{number}"), sent)  # none begins or ends inside a record
    found = idents(adapter.rotated_output("a.txt"), sent)
    check_exactly_once(found, acknowledged, list(sent))
    for sender in senders:
        check_order(found, list(sender.sent))


def test_by_size(stage):
    """Under load the file is rotated whenever it has output.rotate_bytes."""
    adapter = stage.start({"output.rotate_bytes": 20_000, "output.rotate_keep": 1000})
    senders = [Sender(adapter, f"s{number}", ("a.txt",), (1, 30)).start() for number in range(4)]
    until(lambda: len(rotated(adapter)) > 10, lambda: f"ten rotations, not {rotated(adapter)}")
    stop_all(senders)
    adapter.drain()
    numbers = rotated(adapter)
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(len(adapter.output(f"a.txt.{number}")) >= 20_000 for number in numbers)
    check_all(adapter, senders)
    assert len(adapter.log.find("an output file was rotated", output="a.txt")) == len(numbers)


def test_kept(stage):
    """No more than output.rotate_keep rotated files stay: the newest ones, and with them the last records."""
    adapter = stage.start({"output.rotate_bytes": 1000, "output.rotate_keep": 3})
    client = stage.client(adapter)
    metrics = [Metric("a.txt", f"n-{number}", 20) for number in range(12)]
    for metric in metrics:
        client.send(metric)
        wait_begun(adapter, metric)
    assert rotated(adapter) == [1, 2, 3]
    assert adapter.rotated_output("a.txt") == b"".join(metric.text() for metric in metrics[-4:])


def test_by_period(stage):
    """What is written in one period and what is written in the next stands in different files; a file of an earlier
    period that an adapter finds at its start is rotated by the first record."""
    adapter = stage.start({"output.rotate_seconds": 86400})
    client = stage.client(adapter)
    first = client.send(Metric("a.txt", "first"))
    adapter.wait_output("a.txt", first.text())
    yesterday = time.time() - 86400
    os.utime(adapter.root / "a.txt", (yesterday, yesterday))
    second = client.send(Metric("a.txt", "second"))
    wait_begun(adapter, second)
    adapter.drain()
    os.utime(adapter.root / "a.txt", (yesterday, yesterday))
    adapter.start()
    third = stage.client(adapter).send(Metric("a.txt", "third"))
    wait_begun(adapter, third)
    assert adapter.output("a.txt.1") == second.text()
    assert adapter.output("a.txt.2") == first.text()


def test_off_by_default(stage):
    """Without the settings nothing is rotated, however old the file."""
    adapter = stage.start()
    client = stage.client(adapter)
    client.send(Metric("a.txt", "first"))
    until(lambda: adapter.output("a.txt"), "the record")
    os.utime(adapter.root / "a.txt", (0, 0))
    client.send(Metric("a.txt", "second"))
    until(lambda: len(split(adapter.output("a.txt"))) == 2, "both records in one file")


def test_what_cannot_be_rotated_is_written_on(stage):
    """A file that an output reaches through a link keeps its name, and takes on records; the log says why."""
    adapter = stage.adapter({"output.rotate_bytes": 100})
    adapter.root.mkdir()
    (adapter.root / "real.txt").touch()
    (adapter.root / "a.txt").symlink_to("real.txt")
    adapter.start()
    client = stage.client(adapter)
    metrics = [client.send(Metric("a.txt", f"n-{number}", 5)) for number in range(5)]
    adapter.wait_output("real.txt", b"".join(metric.text() for metric in metrics))
    adapter.drain()
    assert rotated(adapter) == []
    assert adapter.log.find("an output file cannot be rotated; it is written on", output="a.txt")


@pytest.mark.parametrize("durability", ["process", "machine"])
def test_kills(stage, durability):
    """The collector is killed again and again while it rotates many times a second: every record stands there once."""
    adapter = stage.start({"output.rotate_bytes": 2000, "output.rotate_keep": 1000, "segments.durability": durability})
    senders = [Sender(adapter, f"s{number}", ("a.txt",), (1, 20)).start() for number in range(3)]
    for number in range(12):
        count = len(rotated(adapter))
        until(lambda count=count: len(rotated(adapter)) > count, "a rotation")
        time.sleep(number * 0.003)
        send(adapter.collector())
    stop_all(senders)
    adapter.drain()
    check_all(adapter, senders)


def test_reload_turns_it_on(stage):
    """HUP changes when a file is rotated."""
    adapter = stage.start()
    client = stage.client(adapter)
    first = client.send(Metric("a.txt", "first"))
    adapter.wait_output("a.txt", first.text())
    adapter.configuration.write_text("output: { rotate_bytes = 10; };")
    adapter.tell(signal.SIGHUP)
    adapter.wait_log("taken over")
    second = client.send(Metric("a.txt", "second"), wait_for_ready=True)
    wait_begun(adapter, second)
    assert adapter.output("a.txt.1") == first.text()
