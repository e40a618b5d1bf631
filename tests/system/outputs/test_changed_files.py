"""Output files that others rename, remove, replace or cut short: noticed, and never answered with a hole."""

import os
import signal
from pathlib import Path

import pytest

from metrics import Metric


def write_some(stage, adapter, name="a.txt", count=3):
    """Calls, and waits for their records; returns the client and the text."""
    client = stage.client(adapter)
    metrics = [client.send(Metric(name, f"old-{number}")) for number in range(count)]
    text = b"".join(metric.text() for metric in metrics)
    adapter.wait_output(name, text)
    return client, text


def test_rotated_file(stage):
    """After somebody renamed the file, records go to a new one of the old name; the renamed one keeps what it had."""
    adapter = stage.start()
    client, old = write_some(stage, adapter)
    os.rename(adapter.root / "a.txt", adapter.root / "a.txt.1")
    metric = client.send(Metric("a.txt", "new"))
    adapter.wait_output("a.txt", metric.text())
    assert adapter.output("a.txt.1") == old


def test_removed_file(stage):
    """After somebody removed the file, records go to a new one."""
    adapter = stage.start()
    client, _ = write_some(stage, adapter)
    (adapter.root / "a.txt").unlink()
    metric = client.send(Metric("a.txt", "new"))
    adapter.wait_output("a.txt", metric.text())


def test_removed_directory(stage):
    """After somebody removed the file's directory, it is made again."""
    adapter = stage.start()
    client, _ = write_some(stage, adapter, "deep/er/a.txt")
    (adapter.root / "deep/er/a.txt").unlink()
    (adapter.root / "deep/er").rmdir()
    (adapter.root / "deep").rmdir()
    metric = client.send(Metric("deep/er/a.txt", "new"))
    adapter.wait_output("deep/er/a.txt", metric.text())


def test_replaced_file(stage):
    """After somebody put another file in its place, records are appended to that."""
    adapter = stage.start()
    client, _ = write_some(stage, adapter)
    (adapter.root / "other").write_text("another file\n")
    os.rename(adapter.root / "other", adapter.root / "a.txt")
    metric = client.send(Metric("a.txt", "new"))
    adapter.wait_output("a.txt", b"another file\n" + metric.text())


@pytest.mark.parametrize("size", [0, 100])
def test_truncated_file(stage, size):
    """After somebody cut the file short, records follow on its end: no hole, no zeros."""
    adapter = stage.start()
    client, old = write_some(stage, adapter)
    os.truncate(adapter.root / "a.txt", size)
    metric = client.send(Metric("a.txt", "new"))
    adapter.wait_output("a.txt", old[:size] + metric.text())


def test_appended_file(stage):
    """What somebody else appends stays."""
    adapter = stage.start()
    client, old = write_some(stage, adapter)
    with open(adapter.root / "a.txt", "ab") as file:
        file.write(b"a remark\n")
    metric = client.send(Metric("a.txt", "new"))
    adapter.wait_output("a.txt", old + b"a remark\n" + metric.text())


def test_link_out_put_in_its_place(stage):
    """A link out of the root that takes the file's place is not followed: what lies outside is untouched."""
    adapter = stage.start()
    client, _ = write_some(stage, adapter)
    outside = adapter.home / "outside.txt"
    outside.write_text("untouched\n")
    (adapter.root / "a.txt").unlink()
    (adapter.root / "a.txt").symlink_to(outside)
    metric = Metric("a.txt", "new")
    if client.call(metric.wire()).ok:  # a path checked within the last second is not checked again
        adapter.wait_log("cannot write an output; its records are kept and tried again", output="a.txt")
        (adapter.root / "a.txt").unlink()
        adapter.wait_output("a.txt", metric.text())
    assert outside.read_text() == "untouched\n"
    adapter.drain()


def test_usr1_lets_go_of_outputs(stage):
    """After a rename and USR1 the collector holds the old file no longer, and the next record begins a new one. A worker
    that the signal reaches as well does not mind."""
    adapter = stage.start()
    client = stage.client(adapter)
    first = client.send(Metric("a.txt", "first"))
    adapter.wait_output("a.txt", first.text())
    (adapter.root / "a.txt").rename(adapter.root / "a.txt.old")
    adapter.tell(signal.SIGUSR1)
    for pid in adapter.workers().values():
        os.kill(pid, signal.SIGUSR1)
    adapter.wait_log("let go of the outputs; each is opened anew when it is written")
    held = [os.readlink(entry) for entry in Path(f"/proc/{adapter.collector()}/fd").iterdir() if entry.is_symlink()]
    assert not [path for path in held if "a.txt" in path]
    second = client.send(Metric("a.txt", "second"))
    adapter.wait_output("a.txt", second.text())
    assert (adapter.root / "a.txt.old").read_bytes() == first.text()
