"""`mygrpcadapter status`: what a person sees of a running adapter, whoever hangs or has died."""

import os
import re
import signal
import subprocess

import pytest

from adapter import PROGRAM, make_environment, run_program
from metrics import Metric
from processes import resume, send, stop
from waiting import until


def status(adapter, *options):
    """Its exit code, output and complaint."""
    done = run_program("status", *options, adapter.root)
    return done.returncode, done.stdout, done.stderr


def row(text, name):
    """The words of a line of the report that begins with that name, without it."""
    return re.search(rf"^{name} +(.*)$", text, flags=re.MULTILINE).group(1)


def test_a_running_adapter(stage):
    """Ready, its processes, and the numbers of what was done."""
    adapter = stage.start()
    client = stage.client(adapter)
    for number in range(10):
        client.send(Metric("a.txt", f"m-{number}", 2))
    assert not client.call(Metric("../a.txt").wire()).ok
    text = sum(len(Metric("a.txt", f"m-{number}", 2).text()) for number in range(10))
    until(lambda: "10 records" in status(adapter)[1], "all to be delivered")
    code, out, complaint = status(adapter)
    assert (code, complaint) == (0, "")
    assert re.match(rf"mygrpcadapter \S+, pid {adapter.pid}, up 0d 00:00:\d\d: ready\n", out)
    workers = adapter.workers()
    rows = [row(out, f"worker {slot}").split() for slot in workers]
    assert [int(words[0]) for words in rows] == list(workers.values())
    assert [sum(int(words[column]) for words in rows) for column in (3, 5, 6)] == [1, 11, 20]
    assert row(out, "collector").split() == [str(adapter.collector()), "ready", "0"]
    assert row(out, "calls") == "10 OK, 1 INVALID_ARGUMENT"
    assert row(out, "refused") == "1 file_path"
    assert row(out, "delivered") == f"10 records, {text / 1024:.1f} KiB of text"
    assert row(out, "segments").startswith("2 files, 32.0 MiB in all, 0 B not merged")
    assert row(out, "quarantined") == "0"
    assert "admin" not in out


def test_directory_may_be_the_segments_or_the_configuration(stage):
    """It is found by the volume, by the segment directory, and by the configuration file."""
    adapter = stage.start()
    file = stage.home / "mine.cfg"
    file.write_text(f'output: {{ root = "{adapter.root}"; }};\n')
    for arguments in ([adapter.root], [adapter.segments], ["-c", file], ["--config", file]):
        done = run_program("status", *arguments)
        assert done.returncode == 0 and f"pid {adapter.pid}," in done.stdout, done.stderr


def test_it_needs_nobodys_answer(stage):
    """With every process stopped it still says what they did; with no worker healthy it says so and exits 1."""
    adapter = stage.start({"workers.count": 1, "workers.stall_timeout_ms": 60000})
    stage.client(adapter).send(Metric("a.txt", "m"))
    pids = adapter.processes()
    for pid in pids:
        stop(pid)
    code, out, _ = status(adapter)
    assert code == 0 and row(out, "calls") == "1 OK"
    for pid in pids:
        resume(pid)
    send(adapter.workers()[0])

    def is_counted():
        return row(status(adapter)[1], "worker 0").split()[2] == "1"
    until(is_counted, "the restart to be counted")


def test_not_ready(stage):
    """While a worker refuses calls it says so, and exits 1."""
    settings = {"workers.count": 1, "segments.size_bytes": 256 << 10, "segments.limit_bytes": 1 << 20,
                "workers.stall_timeout_ms": 60000}
    adapter = stage.start(settings)
    client = stage.client(adapter)
    stop(adapter.collector())
    while client.call(Metric("a.txt", "n", 200).wire()).ok:
        pass
    until(lambda: status(adapter)[0] == 1, "it not to be ready")
    _, out, _ = status(adapter)
    assert ": NOT READY\n" in out and row(out, "worker 0").split()[1] == "refusing"
    assert row(out, "refused") == "1 segments_limit"
    resume(adapter.collector())


def test_watch(stage):
    """Again and again, with rates, until the adapter ends."""
    adapter = stage.start()
    client = stage.client(adapter)
    command = [PROGRAM, "status", "--watch=1", adapter.root]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=make_environment()) as watch:
        for line in watch.stdout:
            client.send(Metric("a.txt", "m"))
            if re.match(r"now +[1-9]\d* calls/s, [1-9]", line):
                break
        adapter.drain(signal.SIGTERM)
        watch.stdout.read()
        assert watch.wait(30) == 69 and "no adapter runs there" in watch.stderr.read()


def test_no_adapter(stage):
    """69 where one has been and where none has; the pid of a process that is no adapter is not believed."""
    adapter = stage.start()
    adapter.drain()
    code, out, complaint = status(adapter)
    assert (code, out) == (69, "") and f"no adapter runs there: pid {adapter.pid}" in complaint
    (adapter.segments / "lock").write_text(f"{os.getpid()}\n")
    assert status(adapter)[0] == 69
    other = stage.start()
    (adapter.segments / "lock").write_text(f"{other.pid}\n")
    assert status(adapter)[0] == 69, "an adapter, but not this volume's"
    (adapter.segments / "lock").write_text("")
    code, _, complaint = status(adapter)
    assert code == 69 and "no adapter has run there" in complaint


def test_no_directory(stage):
    """66, and why."""
    done = run_program("status", stage.home / "nowhere")
    assert done.returncode == 66 and "No such file" in done.stderr


def test_another_user(stage):
    """77 for whoever may not look at the process."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    adapter = stage.start()
    for directory in (stage.home, adapter.home, adapter.root, adapter.segments):
        directory.chmod(0o755)
    (adapter.segments / "lock").chmod(0o644)
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", PROGRAM, "status", adapter.root],
                          capture_output=True, text=True, timeout=60, check=False, env=make_environment())
    assert done.returncode == 77 and "may only be looked at by its user" in done.stderr, done.stderr


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--watch=0"], ["--watch=x"], ["-c"], ["a", "b"]])
def test_used_wrongly(arguments):
    """64, and a line that says why."""
    done = run_program("status", *arguments)
    assert done.returncode == 64 and done.stdout == "" and done.stderr.count("\n") == 1


def test_help():
    """--help is not an error."""
    assert run_program("status", "--help").returncode == 0
