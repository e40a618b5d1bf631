"""What an operator has set aside, since its output cannot be written, and puts back: every record once, in the output, in
aside/ or waiting, whoever dies in between; and never said to be delivered."""

import os
import shutil
import signal

import pytest

from adapter import run_program
from metrics import Metric
from processes import resume, send, stop
from scrape import Admin
from tmpfs import SmallVolume
from waiting import until

MIB = 1 << 20
REFUSES = "cannot write an output; its records are kept and tried again"


def segments(adapter, *arguments, code=0):
    """Runs `mygrpcadapter segments` on the adapter's directory; returns what it printed."""
    result = run_program("segments", adapter.segments, *arguments)
    assert result.returncode == code, result
    return result.stdout + result.stderr


def aside(adapter):
    """Names of the files in aside/."""
    directory = adapter.segments / "aside"
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


def refuse(stage, count, settings=None):
    """An adapter whose output a.txt has a directory in its place; returns it, its client and what waits."""
    adapter = stage.start({"workers.count": 1, "admin.address": "127.0.0.1:0"} | (settings or {}))
    client = stage.client(adapter)
    stop(adapter.collector())
    waiting = [client.send(Metric("a.txt", f"n-{number}")) for number in range(count)]
    (adapter.root / "a.txt").mkdir()
    resume(adapter.collector())
    adapter.wait_log(REFUSES, output="a.txt")
    return adapter, client, waiting


def text_of(metrics):
    """What stands in an output."""
    return b"".join(metric.text() for metric in metrics)


@pytest.mark.parametrize("durability", ["process", "machine"])
def test_set_aside_and_put_back(stage, durability):
    """What waits is set aside by a command on the running adapter: it is counted as that and not as delivered, shown over a
    restart, named after its output, and put back by a command; then it stands in the output once. Others notice nothing."""
    adapter, client, waiting = refuse(stage, 5, {"segments.durability": durability})
    admin = Admin(adapter)
    other = [client.send(Metric("b.txt", "other"))]
    adapter.wait_output("b.txt", other[0].text())
    assert "5 records set aside in 1 file" in segments(adapter, "--set-aside", "file:a.txt")
    [name] = aside(adapter)
    assert name.startswith("a.txt-20") and name.endswith("Z.segment")
    until(lambda: admin.metrics().total("set_aside_files") == 1, "the file to be counted")
    assert admin.metrics().total("records_set_aside_total") == 5
    assert admin.metrics().total("records_delivered_total") == 1
    os.rmdir(adapter.root / "a.txt")
    later = [client.send(Metric("a.txt", "later"))]
    adapter.wait_output("a.txt", later[0].text())
    adapter.drain()
    assert f"aside: aside/{name}: 5 records, " in segments(adapter)
    assert "5 set aside and not delivered, no damage" in segments(adapter, "--verify")
    adapter.start()
    until(lambda: "set aside   1 file" in run_program("status", adapter.segments).stdout, "status to show it")
    assert "put back" in segments(adapter, "--put-back", name)
    adapter.wait_output("a.txt", text_of(later + waiting))
    until(lambda: not any(name.startswith("99999") for name in adapter.segment_files()), "it to be merged")
    assert aside(adapter) == []
    segments(adapter, "--put-back", name, code=66)
    assert adapter.output("b.txt") == other[0].text()


def test_put_back_while_nothing_runs(stage):
    """It is merged by the next start."""
    adapter, _, waiting = refuse(stage, 3)
    segments(adapter, "--set-aside", "file:a.txt")
    os.rmdir(adapter.root / "a.txt")
    adapter.drain()
    assert adapter.output("a.txt") == b""
    segments(adapter, "--put-back", aside(adapter)[0])
    adapter.start()
    adapter.wait_output("a.txt", text_of(waiting))


def test_unfinished_batch(stage):
    """A full volume has stopped a batch in its middle: what stands in the output is delivered, the rest is set aside, and put
    back it is there once. Of the record in whose middle the volume was full a part stays, and the log says so."""
    with SmallVolume(stage.home / "small", 8 * MIB) as volume:
        adapter = stage.adapter({"workers.count": 1}, root=volume.root, wrapper=volume.wrapper)
        adapter.seen_root = volume.seen
        segment_home = stage.make_home()
        adapter.settings["segments.directory"] = segment_home
        adapter.start()
        client = stage.client(adapter)
        volume.fill(leave_bytes=100 << 10)
        metrics = [client.send(Metric("a.txt", f"n-{number}", 200)) for number in range(30)]
        adapter.wait_log(REFUSES, output="a.txt")
        standing = adapter.output("a.txt")
        assert 0 < len(standing) < len(text_of(metrics))
        said = run_program("segments", segment_home, "--set-aside", "file:a.txt")
        assert said.returncode == 0 and " set aside in " in said.stdout
        volume.relieve()
        metrics.append(client.send(Metric("a.txt", "later")))
        until(lambda: adapter.output("a.txt").endswith(metrics[-1].text()), "the last call")
        assert adapter.output("a.txt").startswith(standing)
        for path in (segment_home / "aside").iterdir():
            assert run_program("segments", segment_home, "--put-back", path.name).returncode == 0
        adapter.tell(signal.SIGTERM)
        assert adapter.wait_end() == 0
        raw = adapter.output("a.txt")
        assert [raw.count(metric.text()) for metric in metrics] == [1] * len(metrics)


def test_collector_dies_after_it(stage):
    """The successor knows what was set aside, and delivers it no more."""
    adapter, client, _ = refuse(stage, 4)
    segments(adapter, "--set-aside", "file:a.txt")
    send(adapter.collector())
    os.rmdir(adapter.root / "a.txt")
    later = client.send(Metric("a.txt", "later"))
    adapter.wait_output("a.txt", later.text())
    assert len(aside(adapter)) == 1


def test_standard_output(stage):
    """Standard output without a reader can be set aside, too."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    client.send(Metric("", "one"))
    until(lambda: adapter.records_on_stdout(), "the record")
    assert "the output can be written" in segments(adapter, "--set-aside", "stdout", code=1)


@pytest.mark.parametrize("arguments, code, message", [
    (["--set-aside", "a.txt"], 64, "--set-aside a.txt: give stdout, or file: and a name"),
    (["--set-aside", "file:"], 64, "give stdout, or file: and a name"),
    (["--set-aside"], 64, "--set-aside: takes a value"),
    (["--set-aside", "stdout", "--put-back", "x"], 64, "--put-back: not together with --set-aside"),
    (["--set-aside", "stdout", "--verify"], 64, "--set-aside: not together with --dump or --verify"),
    (["--put-back", "../a"], 64, "--put-back ../a: give the name of a file in aside/"),
    (["--put-back", "x.segment"], 66, "x.segment: No such file or directory"),
    (["--put-back", "x"], 1, "x: no file whose name ends in .segment"),
    (["--set-aside", "file:no.txt"], 1, "there is no such output, or nothing waits for it"),
    (["--set-aside", "file:b.txt"], 1, "the output can be written: nothing is set aside"),
])
def test_wrong_arguments(stage, arguments, code, message):
    """Each says what is wrong, and changes nothing."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    adapter.wait_output("b.txt", client.send(Metric("b.txt", "one")).text())
    assert message in segments(adapter, *arguments, code=code)
    assert aside(adapter) == []


def test_no_adapter(stage):
    """Where none runs, the command says so."""
    adapter = stage.start({"workers.count": 1})
    adapter.drain()
    assert "no adapter runs there" in segments(adapter, "--set-aside", "file:a.txt", code=69)
    assert not (adapter.segments / "set-aside").exists()


@pytest.mark.parametrize("make", [
    lambda path: path.write_bytes(b"file:a.txt"),
    lambda path: path.symlink_to("/etc/passwd"),
    os.mkfifo,
    lambda path: path.write_bytes(b"x" * 10000),
], ids=["stale", "link", "pipe", "long"])
def test_order_of_nobody(stage, make):
    """An order for which nobody waits, or that is none, changes nothing and is in nobody's way."""
    adapter, _, waiting = refuse(stage, 2)
    make(adapter.segments / "set-aside")
    if not (adapter.segments / "set-aside").is_symlink():
        until(lambda: not (adapter.segments / "set-aside").exists(), "it to be removed")
    os.rmdir(adapter.root / "a.txt")
    adapter.wait_output("a.txt", text_of(waiting))
    assert aside(adapter) == []


def test_forged_files(stage):
    """What is no segment of set-aside records is listed as damaged and never put back."""
    adapter, client, _ = refuse(stage, 1)
    segments(adapter, "--set-aside", "file:a.txt")
    [name] = aside(adapter)
    raw = (adapter.segments / "aside" / name).read_bytes()
    forged = {"short.segment": b"x", "zeros.segment": bytes(8192), "flipped.segment": raw[:40] + b"\xff" + raw[41:]}
    for forged_name, content in forged.items():
        (adapter.segments / "aside" / forged_name).write_bytes(content)
    os.symlink("/etc/passwd", adapter.segments / "aside" / "link.segment")
    listing = segments(adapter, "--verify", code=1)
    for forged_name in [*forged, "link.segment"]:
        assert f"damage: aside/{forged_name}: " in listing
        segments(adapter, "--put-back", forged_name, code=1)
    send(adapter.collector())
    os.rmdir(adapter.root / "a.txt")
    later = client.send(Metric("a.txt", "later"))
    adapter.wait_output("a.txt", later.text())
    assert set(aside(adapter)) == {name, *forged, "link.segment"}


# ---- what others do in aside/


def leave_aside(stage, count=3):
    """An adapter with a file in aside/, whose output can be written again, and what is in it. Returns them, and its path."""
    adapter, _, waiting = refuse(stage, count)
    segments(adapter, "--set-aside", "file:a.txt")
    os.rmdir(adapter.root / "a.txt")
    [name] = aside(adapter)
    return adapter, waiting, adapter.segments / "aside" / name


def put_back_all(adapter):
    """Puts back all that is in aside/."""
    for name in aside(adapter):
        segments(adapter, "--put-back", name)


def test_removed_by_hand(stage):
    """Its records are deleted: no start delivers them, and nothing is counted as aside any more."""
    adapter, _, path = leave_aside(stage)
    path.unlink()
    later = stage.client(adapter).send(Metric("a.txt", "later"))
    adapter.wait_output("a.txt", later.text())
    admin = Admin(adapter)
    until(lambda: admin.metrics().total("set_aside_files") == 0, "it to be counted no more")
    adapter.drain()
    adapter.start()
    adapter.drain()
    assert adapter.output("a.txt") == later.text()


@pytest.mark.parametrize("by_hand", [
    lambda path: path.rename(path.with_name("renamed.segment")),
    lambda path: path.rename(shutil.copy(path, path.parents[3] / "kept")),
], ids=["renamed", "replaced-by-a-copy"])
def test_renamed_or_copied_by_hand(stage, by_hand):
    """Its header says what it is: it is put back under whatever name."""
    adapter, waiting, path = leave_aside(stage)
    kept = by_hand(path)
    if kept.parent != path.parent:
        kept.rename(path)
    [name] = aside(adapter)
    assert f"aside/{name}: 3 records, " in segments(adapter)
    put_back_all(adapter)
    adapter.wait_output("a.txt", text_of(waiting))
    adapter.drain()
    assert adapter.output("a.txt") == text_of(waiting) and adapter.quarantined() == []


def test_renamed_to_no_segment(stage):
    """With a name that does not end in .segment it is listed without its records, and put back when it has one again: another
    name may be that of a file which does not count."""
    adapter, waiting, path = leave_aside(stage)
    path.rename(path.with_suffix(".bak"))
    listing = segments(adapter)
    assert f"aside: aside/{path.stem}.bak: " in listing and "3 records" not in listing
    assert "no file whose name ends in .segment" in segments(adapter, "--put-back", f"{path.stem}.bak", code=1)
    path.with_suffix(".bak").rename(path)
    put_back_all(adapter)
    adapter.wait_output("a.txt", text_of(waiting))


@pytest.mark.parametrize("name, quarantined", [(None, 0), ("00000-0000000001-0000000000.sealed", 1)],
                         ids=["its-own-name", "a-segments-name"])
def test_moved_by_hand(stage, name, quarantined):
    """Moved into the segment directory it is left alone; under a segment's name it is set aside in quarantine/, since its
    header has another. Either way it is whole, and back in aside/ it can be put back."""
    adapter, waiting, path = leave_aside(stage)
    moved = path.rename(adapter.segments / (name or path.name))
    if quarantined:
        moved, = until(adapter.quarantined, "it to be set aside")
    later = stage.client(adapter).send(Metric("a.txt", "later"))
    adapter.wait_output("a.txt", later.text())
    adapter.kill_all()
    adapter.start()
    adapter.drain()
    assert adapter.output("a.txt") == later.text() and moved.exists()
    moved.rename(path)
    put_back_all(adapter)
    adapter.start()
    adapter.wait_output("a.txt", text_of([later, *waiting]))


def test_copy_put_back_again(stage):
    """Its records are written a second time: nobody remembers that they were delivered."""
    adapter, waiting, path = leave_aside(stage)
    shutil.copy(path, adapter.home / "kept")
    put_back_all(adapter)
    adapter.wait_output("a.txt", text_of(waiting))
    until(lambda: not any(name.startswith("99999") for name in adapter.segment_files()), "it to be merged")
    shutil.copy(adapter.home / "kept", path)
    put_back_all(adapter)
    adapter.wait_output("a.txt", text_of(waiting * 2))
    adapter.drain()
    assert adapter.output("a.txt") == text_of(waiting * 2)


def test_directory_removed(stage):
    """aside/ itself is removed: it is made again when something is set aside."""
    adapter, _, path = leave_aside(stage)
    shutil.rmtree(path.parent)
    stop(adapter.collector())
    waiting = [stage.client(adapter).send(Metric("a.txt", f"again-{number}")) for number in range(2)]
    (adapter.root / "a.txt").mkdir()
    resume(adapter.collector())
    adapter.wait_log(REFUSES, 2, output="a.txt")
    assert "2 records set aside in 1 file" in segments(adapter, "--set-aside", "file:a.txt")
    os.rmdir(adapter.root / "a.txt")
    put_back_all(adapter)
    adapter.wait_output("a.txt", text_of(waiting))
