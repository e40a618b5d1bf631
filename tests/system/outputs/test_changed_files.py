"""Output files that others rename, remove, replace or cut short: noticed, and never answered with a hole."""

import fcntl
import os
import signal
import subprocess
from pathlib import Path

import pytest

from metrics import Metric
from waiting import until


def write_some(stage, adapter, name="a.txt", count=3):
    """Calls, and waits for their records; returns the client and the text."""
    client = stage.client(adapter)
    metrics = [client.send(Metric(name, f"old-{number}")) for number in range(count)]
    text = b"".join(metric.text() for metric in metrics)
    adapter.wait_output(name, text)
    return client, text


@pytest.mark.parametrize("new_name", ["a.txt.1", "archive/a.txt"])
def test_renamed_file(stage, new_name):
    """After somebody renamed the file, or moved it to another directory, records go to a new one of the old name; the renamed
    one keeps what it had."""
    adapter = stage.start()
    client, old = write_some(stage, adapter)
    (adapter.root / new_name).parent.mkdir(exist_ok=True)
    os.rename(adapter.root / "a.txt", adapter.root / new_name)
    metric = client.send(Metric("a.txt", "new"))
    adapter.wait_output("a.txt", metric.text())
    assert adapter.output(new_name) == old


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


def test_renamed_directory(stage):
    """After somebody renamed the file's directory, it is made again, and the renamed one keeps what it had."""
    adapter = stage.start()
    client, old = write_some(stage, adapter, "deep/a.txt")
    os.rename(adapter.root / "deep", adapter.root / "kept")
    metric = client.send(Metric("deep/a.txt", "new"))
    adapter.wait_output("deep/a.txt", metric.text())
    assert adapter.output("kept/a.txt") == old


def test_swapped_files(stage):
    """After somebody has two outputs change their names, records of each go to the file that has its name."""
    adapter = stage.start()
    client, old_a = write_some(stage, adapter, "a.txt", 2)
    _, old_b = write_some(stage, adapter, "b.txt", 3)
    for old, new in (("a.txt", "c.txt"), ("b.txt", "a.txt"), ("c.txt", "b.txt")):
        os.rename(adapter.root / old, adapter.root / new)
    new_a, new_b = [client.send(Metric(name, "new")) for name in ("a.txt", "b.txt")]
    adapter.wait_output("a.txt", old_b + new_a.text())
    adapter.wait_output("b.txt", old_a + new_b.text())


def test_file_saved_by_an_editor(stage):
    """A program that reads the file, writes another one and renames that to its name (`sed -i`, an editor; `gzip` likewise)
    takes away what came between its reading and its renaming; what comes later follows on what it wrote."""
    adapter = stage.start()
    client, old = write_some(stage, adapter)
    edited = adapter.output("a.txt").replace(b"old-0", b"edited")
    between = client.send(Metric("a.txt", "between"))
    adapter.wait_output("a.txt", old + between.text())
    (adapter.root / "sed12345").write_bytes(edited)
    os.rename(adapter.root / "sed12345", adapter.root / "a.txt")
    metric = client.send(Metric("a.txt", "new"))
    adapter.wait_output("a.txt", edited + metric.text())


def test_file_edited_in_place(stage):
    """Nobody notices."""
    adapter = stage.start()
    client, old = write_some(stage, adapter)
    with open(adapter.root / "a.txt", "r+b") as file:
        file.seek(10)
        file.write(b"edited")
    metric = client.send(Metric("a.txt", "new"))
    adapter.wait_output("a.txt", old[:10] + b"edited" + old[16:] + metric.text())


@pytest.mark.parametrize("change", [
    lambda path: os.utime(path, (0, 0)),
    lambda path: os.utime(path, (1 << 33, 1 << 33)),
    lambda path: path.chmod(0o606),
    lambda path: os.chown(path, os.geteuid(), os.getegid()),
    lambda path: os.setxattr(path, "user.note", b"mine"),
], ids=["touched", "touched-ahead", "chmod", "chown", "xattr"])
def test_attributes_changed(stage, change):
    """Times, permissions that leave the adapter its own, and attributes are nothing to it, and stay."""
    adapter = stage.start()
    client, old = write_some(stage, adapter)
    path = adapter.root / "a.txt"
    try:
        change(path)
    except OSError as error:
        pytest.skip(f"this file system has it not: {error}")
    mode, inode = path.stat().st_mode, path.stat().st_ino
    metric = client.send(Metric("a.txt", "new"))
    adapter.wait_output("a.txt", old + metric.text())
    assert (path.stat().st_mode, path.stat().st_ino) == (mode, inode)


def test_append_only_file(stage):
    """chattr +a: records are appended, over the death of everything, too."""
    adapter = stage.start()
    _, old = write_some(stage, adapter)
    path = adapter.root / "a.txt"
    if subprocess.run(["chattr", "+a", path], capture_output=True, check=False).returncode != 0:
        pytest.skip("chattr +a needs root and a file system that has it")
    try:
        for number in range(2):
            metric = stage.client(adapter).send(Metric("a.txt", f"new-{number}"))
            old += metric.text()
            adapter.wait_output("a.txt", old)
            adapter.kill_all()
            adapter.start()
    finally:
        subprocess.run(["chattr", "-a", path], check=True)


class Lease:
    """fcntl's lease on a file, as Samba and the NFS server take them: nobody opens it for writing without asking its holder,
    who may take 45 seconds. A context manager."""

    def __init__(self, path):
        self.path = path
        self.file = None
        self.handler = None

    def is_taken(self):
        """Tries; a file that is open for writing has none."""
        try:
            fcntl.fcntl(self.file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return False
        return True

    def __enter__(self):
        """Returns when it is taken."""
        self.handler = signal.signal(signal.SIGIO, signal.SIG_IGN)
        self.file = os.open(self.path, os.O_RDONLY)
        until(self.is_taken, "the collector to let go of the file")
        return self

    def __exit__(self, *_):
        os.close(self.file)
        signal.signal(signal.SIGIO, self.handler)


def test_leased_file(stage):
    """While somebody has a lease on it, its records wait, and nobody else is held up; when he gives it back they are
    delivered."""
    adapter = stage.start({"workers.count": 1})
    client, old = write_some(stage, adapter)
    with Lease(adapter.root / "a.txt"):
        metrics = [client.send(Metric("a.txt", f"new-{number}")) for number in range(3)]
        other = client.send(Metric("b.txt", "other"))
        adapter.wait_output("b.txt", other.text())
        assert adapter.output("a.txt") == old
    adapter.wait_output("a.txt", old + b"".join(metric.text() for metric in metrics))


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
