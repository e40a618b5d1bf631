"""`mygrpcadapter segments`: what it says of a directory that is in use, of a dead one, a copy and a damaged one; and that
it disturbs nobody."""

import os
import shutil
import subprocess
import threading

import pytest

from adapter import PROGRAM, make_environment, run_program
from metrics import Metric
from processes import resume, stop
from traffic import Sender

HEADER_BYTES = 4096
RECORD_HEADER_BYTES = 32
NOBODY = 65534
COUNT = 20


def segments(directory, *arguments, code=0):
    """Runs it; returns the finished process, whose exit code must be this one."""
    result = run_program("segments", directory, *arguments)
    assert result.returncode == code, result
    return result


def table(text, head):
    """The lines of the table that begins with this word, each as a dict from the words above it; what is left of a line
    belongs to the last."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.split()[:1] == [head])
    heads = lines[start].split()
    rows = []
    for line in lines[start + 1:]:
        if not line:
            break
        rows.append(dict(zip(heads, line.split(maxsplit=len(heads) - 1))))
    return rows


def listed(text):
    """The lines about segments, and the one with their totals."""
    rows = table(text, "SLOT")
    return rows[:-1], rows[-1]


def outputs(text):
    """The lines about outputs, by destination."""
    return {row["DESTINATION"]: row for row in table(text, "STATE")}


def leave_waiting(stage, settings=None):
    """An adapter of which every process was killed, with COUNT records nobody has merged in one open segment. Returns it
    and the metrics."""
    adapter = stage.start({"workers.count": 1, **(settings or {})})
    stop(adapter.collector())
    client = stage.client(adapter)
    metrics = [client.send(Metric("a b.txt", f"n-{number}")) for number in range(COUNT)]
    adapter.kill_all()
    return adapter, metrics


def flip(path, offset):
    """Changes one bit."""
    raw = bytearray(path.read_bytes())
    raw[offset] ^= 1
    path.write_bytes(raw)


def test_live_adapter(stage):
    """While records flow, segments are sealed, merged and removed, it lists and verifies without a complaint, and what it
    lists belongs together; the traffic notices nothing."""
    adapter = stage.start({"segments.size_bytes": 64 << 10})
    sender = Sender(adapter, "s", paths=("a.txt", "b.txt", "")).start()
    for _ in range(40):
        result = segments(adapter.root, "--verify")
        assert result.stderr == "" and "no damage" in result.stdout
        rows, total = listed(result.stdout)
        assert int(total["RECORDS"]) == sum(int(row["RECORDS"]) for row in rows if row["RECORDS"] != "-")
        assert int(total["CONSUMED"]) <= int(total["RECORDS"])
        assert {row["STATE"] for row in rows} <= {"new", "open", "sealed"}
    sender.stop()
    assert sender.failures == [] and len(sender.acknowledged) > 0
    adapter.drain()
    assert segments(adapter.root, "--verify").stdout.count("\ntotal ") == 1


def test_what_waits(stage):
    """With the collector held, records wait; afterwards they are consumed. The writer's pid is shown where this system
    tells of locks."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    metrics = [client.send(Metric("a.txt", f"n-{number}")) for number in range(3)]
    adapter.wait_output("a.txt", b"".join(metric.text() for metric in metrics))
    stop(adapter.collector())
    metrics += [client.send(Metric("a.txt", "n-3")), client.send(Metric("", "n-4"))]
    text = segments(adapter.root).stdout
    (row,), _ = listed(text)
    assert row["STATE"] == "open" and row["RECORDS"] == "5"
    assert row["CONSUMED"] in ("0", "3")  # 0: held before it noted that it had delivered them
    assert row["WRITER"] in (str(adapter.workers()[0]), "-", "?")
    assert outputs(text)["stdout"]["WAITING"] == "1"
    assert outputs(text)["file:a.txt"]["WAITING"] == str(4 - int(row["CONSUMED"]))
    resume(adapter.collector())
    adapter.wait_output("a.txt", b"".join(metric.text() for metric in metrics[:4]))
    adapter.drain()


def test_dump(stage):
    """--dump prints each record once, with its text as it is, or escaped on one line."""
    adapter, metrics = leave_waiting(stage)
    name = adapter.segment_files()[0]
    plain = segments(adapter.segments, "--dump").stdout
    position = 0
    for number, metric in enumerate(metrics):
        text = metric.text().decode()
        begin = plain.index(f"{name} ", position)
        head, rest = plain[begin:].split("\n", 1)
        words = head.split()
        assert words[1] == str(number) and words[4:] == [r"file:a\x20b.txt", str(len(text)), "waiting"]
        assert rest.startswith(text)
        position = begin + len(head) + 1 + len(text)
    assert position == len(plain)

    lines = segments(adapter.segments, "--dump", "--escape").stdout.splitlines()
    assert len(lines) == COUNT
    text = metrics[-1].text().decode()
    assert lines[-1].endswith(" waiting " + text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t"))
    result = segments(adapter.segments, "--dump", "--escape", "--verify")
    assert result.stdout.splitlines() == lines and "no damage" in result.stderr


def test_dead_adapter_and_copy(stage):
    """A segment whose writer died is whole, and so is a copy of the directory elsewhere."""
    adapter, _ = leave_waiting(stage)
    (row,), total = listed(segments(adapter.root, "--verify").stdout)
    assert row["STATE"] == "open" and row["WRITER"] in "-?" and row["RECORDS"] == str(COUNT)
    assert row["CONSUMED"] == "0" and row["NEXT"] == str(HEADER_BYTES) and total["NUMBER"] == "1"
    copy = adapter.home / "copy"
    shutil.copytree(adapter.segments, copy)
    assert segments(copy, "--verify").stdout.splitlines()[1:] == \
        segments(adapter.segments, "--verify").stdout.splitlines()[1:]


def test_damage_and_quarantine(stage):
    """A flipped byte: --verify exits 1 and names file and offset, before the file is set aside and after."""
    adapter, metrics = leave_waiting(stage)
    name = adapter.segment_files()[0]
    body = len("a b.txt") + len(metrics[0].text())
    offset = HEADER_BYTES + (RECORD_HEADER_BYTES + body + 7 & ~7)
    flip(adapter.segments / name, offset + 30)
    result = segments(adapter.root, "--verify", code=1)
    assert f"damage: {name}: offset {offset}: " in result.stdout
    (row,), _ = listed(result.stdout)
    assert row["RECORDS"] == "1" and row["NOTE"] == f"damaged at {offset}"
    assert f"damaged at {offset}" in segments(adapter.root).stdout
    assert f"{name}: offset {offset}: " in segments(adapter.root, "--dump", "--verify", code=1).stderr

    adapter.start()
    adapter.wait_output("a b.txt", metrics[0].text())
    adapter.wait_log("a damaged segment is set aside in quarantine/")
    adapter.drain()
    result = segments(adapter.root, "--verify", code=1)
    aside = adapter.quarantined()[0].name
    assert f"damage: quarantine/{aside}: offset {offset}: " in result.stdout
    (row,), _ = listed(result.stdout)
    assert row["STATE"] == "quarantined" and row["RECORDS"] == "1" and row["CONSUMED"] == "-"
    assert segments(adapter.root, "--dump", "--escape").stdout.splitlines()[0].split()[6] == "aside"


def test_damaged_ledger(stage):
    """A ledger is checked too, each of the two copies in each of its two blocks."""
    adapter = stage.start({"workers.count": 1})
    metric = stage.client(adapter).send(Metric("a.txt"))
    adapter.wait_output("a.txt", metric.text())
    adapter.kill_all()
    ledger, = (path for path in adapter.segments.iterdir() if path.name.startswith("ledger-"))
    text = segments(adapter.root, "--verify").stdout
    assert outputs(text)["file:a.txt"]["STATE"] in ("settled", "batch")
    whole = ledger.read_bytes()
    for copy in range(4):
        raw = bytearray(whole)
        raw[(copy * 8 << 20) + 20] ^= 0xff
        ledger.write_bytes(raw)
        result = segments(adapter.root, "--verify", code=1)
        assert f"damage: {ledger.name}: offset {copy * 8 << 20}: the copy there" in result.stdout
        raw[((copy ^ 1) * 8 << 20) + 20] ^= 0xff
        ledger.write_bytes(raw)
        result = segments(adapter.root, "--verify", code=1)
        assert f"damage: {ledger.name}: offset {(copy & 2) * 8 << 20}: the block there" in result.stdout
    ledger.write_bytes(b"no ledger")
    result = segments(adapter.root, "--verify", code=1)
    assert f"damage: {ledger.name}: offset 0: " in result.stdout


def test_strange_files(stage):
    """What has a segment's name and is none is damage, whatever it is; other names are nobody's business."""
    adapter, _ = leave_waiting(stage)
    (adapter.segments / "README").write_text("mine\n")
    (adapter.segments / "00003-0000000001-0000000000.sealed").mkdir()
    (adapter.segments / "00004-0000000001-0000000000.sealed").symlink_to("/dev/zero")
    os.mkfifo(adapter.segments / "00005-0000000001-0000000000.open")
    (adapter.segments / "00006-0000000001-0000000000.open").touch()
    with open(adapter.segments / "00007-0000000001-0000000000.sealed", "wb") as file:
        file.truncate(1 << 22)
    result = segments(adapter.root, "--verify", code=1)
    assert [line.split(":")[1] for line in result.stdout.splitlines() if line.startswith("damage: ")] == [
        f" {path.name}" for path in sorted(adapter.segments.iterdir()) if path.name.startswith("0000") and
        not path.name.startswith("00000")]
    assert listed(result.stdout)[1]["RECORDS"] == str(COUNT)
    for path in adapter.segments.glob("0000[3-7]*"):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def test_file_cut_short_meanwhile(stage):
    """A segment that somebody truncates and restores all the time kills nobody."""
    adapter, _ = leave_waiting(stage)
    path = adapter.segments / adapter.segment_files()[0]
    raw = path.read_bytes()
    done = threading.Event()

    def trouble():
        while not done.is_set():
            os.truncate(path, 0)
            with open(path, "r+b") as file:
                file.write(raw)

    thread = threading.Thread(target=trouble)
    thread.start()
    try:
        codes = {run_program("segments", adapter.root, "--verify", "--dump").returncode for _ in range(30)}
    finally:
        done.set()
        thread.join()
    assert codes <= {0, 1}
    segments(adapter.root, "--verify")


def test_read_only(stage):
    """It needs nothing but the right to read: as another user, and on a volume mounted read-only."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    adapter, _ = leave_waiting(stage)
    directory = stage.home
    directory.chmod(0o755)
    adapter.segments.chmod(0o755)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in adapter.segments.iterdir())
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    command = [str(PROGRAM), "segments", str(adapter.segments), "--verify"]
    if subprocess.run([*as_nobody, "test", "-x", str(PROGRAM)], check=False).returncode != 0:
        pytest.skip("others cannot run the program here")

    def run(*wrapper):
        return subprocess.run([*wrapper, *command], capture_output=True, text=True, check=False, env=make_environment())

    refused = run(*as_nobody)
    assert refused.returncode == 66 and "Permission denied" in refused.stderr and "unreadable" in refused.stdout
    for path in adapter.segments.iterdir():
        path.chmod(0o444)
    assert run(*as_nobody).returncode == 0
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    result = run("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(adapter.root))
    if "mount:" in result.stderr or "unshare:" in result.stderr:
        pytest.skip(f"cannot mount: {result.stderr}")
    assert result.returncode == 0, result
    assert sorted((path.name, path.stat().st_mtime_ns) for path in adapter.segments.iterdir()) == before


@pytest.mark.parametrize("arguments, code, words", [
    ([], 64, "DIRECTORY is missing"),
    (["a", "b"], 64, "b: only one DIRECTORY"),
    (["--nonsense", "a"], 64, "--nonsense: no such option"),
    (["a", "--escape"], 64, "--escape: "),
    (["/nonexistent"], 66, "/nonexistent: No such file or directory"),
    (["/dev/null"], 66, "/dev/null: Not a directory"),
])
def test_wrong_arguments(arguments, code, words):
    """Wrong arguments: status 64 or 66, one line, and nothing on standard output."""
    result = run_program("segments", *arguments)
    assert result.returncode == code and result.stdout == "", result
    assert words in result.stderr and len(result.stderr.splitlines()) == 1


def test_help_and_full_output():
    """--help is on standard output; an output that cannot be written is told."""
    result = run_program("segments", "--help")
    assert result.returncode == 0 and "--verify" in result.stdout
    with open("/dev/full", "wb") as full:
        result = subprocess.run([str(PROGRAM), "segments", "/"], stdout=full, stderr=subprocess.PIPE, check=False,
                                env=make_environment())
    assert result.returncode == 74 and b"No space left" in result.stderr
