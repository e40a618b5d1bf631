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


NOT_ROTATED = ("an output file is not rotated, since another output has the name that a rotated file would get; it is "
               "written on until that file is moved away and the adapter reloaded")


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


def wait_period(seconds):
    """Waits until another period has begun."""
    time.sleep(seconds - time.time() % seconds + 0.1)


def test_by_period(stage):
    """What is written in one period and what is written in the next stands in different files, also with a restart in
    between; a restart within a period begins no file."""
    adapter = stage.start({"output.rotate_seconds": 5})
    client = stage.client(adapter)
    wait_period(5)
    first = client.send(Metric("a.txt", "first"))
    adapter.wait_output("a.txt", first.text())
    wait_period(5)
    second = client.send(Metric("a.txt", "second"))
    wait_begun(adapter, second)
    adapter.drain()
    adapter.start()
    wait_period(5)
    third = stage.client(adapter).send(Metric("a.txt", "third"))
    wait_begun(adapter, third)
    assert adapter.output("a.txt.1") == second.text()
    assert adapter.output("a.txt.2") == first.text()


def set_time(adapter, offset):
    """Sets the time of a.txt as a file server does whose clock is another."""
    when = time.time() + offset
    os.utime(adapter.root / "a.txt", (when, when))


@pytest.mark.parametrize("offset", [-3 * 86400, 3 * 86400])
def test_another_clock(stage, offset):
    """The clock of a file server is behind, or ahead, by days: no file is begun within a period, not by a batch, a
    reload, a kill or a restart."""
    adapter = stage.start({"output.rotate_seconds": 366 * 86400, "output.rotate_keep": 2})
    metrics = []
    disturbances = [lambda: None, lambda: None, lambda: send(adapter.collector()), lambda: adapter.tell(signal.SIGHUP),
                    lambda: (adapter.drain(), adapter.start()), lambda: None]
    for number, disturb in enumerate(disturbances):
        metrics.append(stage.client(adapter).send(Metric("a.txt", f"n-{number}"), wait_for_ready=True))
        adapter.wait_output("a.txt", b"".join(metric.text() for metric in metrics))
        set_time(adapter, offset)
        disturb()
    adapter.drain()
    assert rotated(adapter) == []


def test_old_file_without_a_note(stage):
    """A file of an earlier period that an adapter finds, of which it has noted nothing, is rotated once."""
    adapter = stage.adapter({"output.rotate_seconds": 86400})
    adapter.root.mkdir()
    (adapter.root / "a.txt").write_text("old\n")
    set_time(adapter, -3 * 86400)
    adapter.start()
    client = stage.client(adapter)
    first = client.send(Metric("a.txt", "first"))
    wait_begun(adapter, first)
    set_time(adapter, -3 * 86400)
    second = client.send(Metric("a.txt", "second"))
    adapter.wait_output("a.txt", first.text() + second.text())
    assert adapter.output("a.txt.1") == b"old\n"
    assert rotated(adapter) == [1]


@pytest.mark.parametrize("path", ["a.txt.1", "a.txt.3/x.txt", "x/b.10", "link.txt"])
def test_names_of_rotated_files_are_refused(stage, path):
    """With rotation no output may have a name that rotation gives, or be in a directory of such a name, or lead there
    through a link; the message says what to do."""
    adapter = stage.adapter({"output.rotate_seconds": 86400})
    adapter.root.mkdir()
    (adapter.root / "c.txt.2").touch()
    (adapter.root / "link.txt").symlink_to("c.txt.2")
    adapter.start()
    client = stage.client(adapter)
    answer = client.call(Metric(path, "refused").wire())
    assert answer.status == "INVALID_ARGUMENT"
    assert "a dot and a number" in answer.details and "output.rotate_bytes" in answer.details, answer
    for number, good in enumerate(("a.txt", "a.01", "1", "b.txt.old")):
        metric = client.send(Metric(good, f"good-{number}"))
        adapter.wait_output(good, metric.text())


@pytest.mark.parametrize("drained", [False, True])
def test_turned_on_though_an_output_has_such_a_name(stage, drained):
    """An output a.txt.1 was accepted while nothing was rotated: when rotation is turned on, a.txt is written on, and
    a.txt.1 keeps its name and its records. Moved away, it is no longer in the way."""
    adapter = stage.start()
    client = stage.client(adapter)
    text, other = [], client.send(Metric("a.txt.1", "other"))
    adapter.wait_output("a.txt.1", other.text())
    text.append(client.send(Metric("a.txt", "first")).text())
    adapter.wait_output("a.txt", text[0])
    adapter.configuration.write_text("output: { rotate_bytes = 10; };")
    if drained:
        adapter.drain()
        adapter.start()
        client = stage.client(adapter)
    else:
        adapter.tell(signal.SIGHUP)
        adapter.wait_log("taken over")
    for number in range(3):
        text.append(client.send(Metric("a.txt", f"n-{number}"), wait_for_ready=True).text())
        adapter.wait_output("a.txt", b"".join(text))
    assert adapter.output("a.txt.1") == other.text()
    assert rotated(adapter) == [1]
    adapter.wait_log(NOT_ROTATED, output="a.txt", number="1")
    os.rename(adapter.root / "a.txt.1", adapter.root / "moved.txt")
    adapter.drain()
    adapter.start()
    last = stage.client(adapter).send(Metric("a.txt", "last"))
    wait_begun(adapter, last)
    assert adapter.output("a.txt.1") == b"".join(text)


def test_directory_with_such_a_name(stage):
    """A directory a.txt.2 is passed over, and the log says so."""
    adapter = stage.adapter({"output.rotate_bytes": 10, "output.rotate_keep": 3})
    (adapter.root / "a.txt.2").mkdir(parents=True)
    adapter.start()
    client = stage.client(adapter)
    metrics = [Metric("a.txt", f"n-{number}") for number in range(5)]
    for metric in metrics:
        client.send(metric)
        wait_begun(adapter, metric)
    assert adapter.output("a.txt.1") == metrics[3].text()
    assert (adapter.root / "a.txt.2").is_dir()
    assert adapter.output("a.txt.3") == metrics[2].text()
    assert rotated(adapter) == [1, 2, 3]
    assert adapter.log.find("names of rotated files are taken by something that is no file; they were passed over",
                            output="a.txt", names="1")


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
