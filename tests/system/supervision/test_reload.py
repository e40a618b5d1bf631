"""HUP and USR2: the configuration, or the program, changes in place, and no call is lost."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from adapter import PROGRAM, REPOSITORY, SANITIZED
from metrics import Metric
from processes import is_running, resume, send, stop
from records import check_exactly_once, idents, split
from service import NotifySocket
from traffic import Sender, stop_all
from waiting import until

REFUSED = {signal.SIGHUP: "the reload is refused; everything goes on as it was",
           signal.SIGUSR2: "the new program is refused; the running one goes on"}
BOTH = pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2], ids=["HUP", "USR2"])
CALLS = 1_000_000_000  # more than are made before the load is told to end


def configured(stage, text='log: { level = "info"; };', settings=None, **options):
    """An adapter whose configuration file holds this text."""
    adapter = stage.adapter(settings, **options)
    adapter.configuration.write_text(text)
    return adapter


def own_program(stage):
    """A copy of the program, which can be replaced."""
    path = stage.home / "program"
    shutil.copy(PROGRAM, path)
    return path


def replace(path, content=None):
    """Another file takes the place of a program, as a package manager does it: the same program, or a script."""
    fresh = path.with_suffix(".fresh")
    if content is None:
        shutil.copy(PROGRAM, fresh)
    else:
        fresh.write_text(content)
        fresh.chmod(0o755)
    os.replace(fresh, path)


def change(adapter, number=signal.SIGHUP):
    """Sends the signal and waits until the workers of before have ended; returns the line that tells of the change."""
    before = len(adapter.log.find("taken over"))
    old = set(adapter.workers().values())
    adapter.tell(number)
    line = adapter.wait_log("taken over", before + 1)[-1]
    adapter.wait_gone(old)
    return line


def wait_refused(adapter, number, count=1):
    """Sends the signal and waits for the refusal; returns why."""
    adapter.tell(number)
    return adapter.wait_log(REFUSED[number], count)[-1].fields["reason"]


class Load:
    """The program's own client with 128 calls in flight, until told to end. No call may fail but one that its gRPC begins on
    a connection of which it knows already that it is going away."""

    def __init__(self, stage, adapter):
        self.adapter = adapter
        self.report = stage.home / "load"
        command = [str(PROGRAM), "send", "--address", adapter.target, "--file-path", "load.txt", "--value", "1",
                   "--count", str(CALLS), "--connections", "4", "--in-flight", "32"]
        with open(self.report, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        until(lambda: adapter.output("load.txt"), "the first records of the load")

    def end(self):
        """Ends it: every record is there once the adapter has drained, and no other. Returns how many there were."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        report = self.report.read_text()
        calls, answered, failed = (int(re.search(rf"^{word}: (\d+)", report, flags=re.MULTILINE).group(1))
                                   for word in ("calls", "OK", "failed"))
        assert calls == answered + failed, report
        assert failed == 0 or f"  UNAVAILABLE: {failed}, the first: GOAWAY received" in report, report
        assert failed <= calls / 100, report
        self.adapter.drain()
        assert len(split(self.adapter.output("load.txt"))) == answered
        return answered


@BOTH
def test_under_load(stage, number):
    """Again and again under load: not one call fails, each record stands there once, and pid and socket stay."""
    adapter = stage.start(program=own_program(stage))
    load = Load(stage, adapter)
    for _ in range(5):
        replace(adapter.program)
        change(adapter, number)
    assert adapter.master.poll() is None
    assert load.end() > 1000
    lines = adapter.log.lines()
    assert {line.pid for line in lines if line.role == "master"} == {adapter.pid}
    starts = [line for line in lines if line.event in ("worker started", "collector started")]
    incarnations = [line.number("incarnation") for line in starts]
    assert len(set(incarnations)) == len(incarnations)
    assert adapter.stdout().count(b"listening") == 1


def test_locks_stay(stage):
    """After a change the volume is still held: another adapter on it is refused, whatever its segment directory."""
    adapter = stage.start()
    change(adapter)
    change(adapter, signal.SIGUSR2)
    for segments in ("", str(stage.home / "elsewhere")):
        other = stage.adapter({"segments.directory": segments}, root=adapter.root)
        other.spawn()
        assert other.wait_end() == 75
        assert f"pid {adapter.pid}" in other.log_path().read_text()


def test_settings_change(stage):
    """What the file says at HUP is in effect after it: more workers, fewer, another log level; PORT and --set still
    override it."""
    adapter = configured(stage, "workers: { count = 1; };", {"listen.backlog": 7})
    del adapter.settings["workers.count"]
    adapter.start()
    first = adapter.wait_workers(1)
    for count in (3, 2):
        adapter.configuration.write_text(f"workers: {{ count = {count}; }};\nlisten: {{ backlog = 5; }};\n")
        assert change(adapter).number("workers") == count
        workers = until(lambda: len(adapter.processes()) == count + 2 and adapter.processes(), "the earlier ones to end")
        assert not set(first.values()) & set(workers)
        stage.client(adapter).send(Metric("a.txt", f"with-{count}"))
    adapter.configuration.write_text('log: { level = "debug"; };')
    change(adapter)
    stage.client(adapter).send(Metric("a.txt", "last"))
    adapter.wait_log("connection accepted")


def test_the_program_changes(stage):
    """HUP goes on with the file that runs, though it has been replaced; USR2 takes the new one, through the same symbolic
    link it was started by."""
    first, second = own_program(stage), stage.home / "other"
    shutil.copy(PROGRAM, second)
    link = stage.home / "link"
    link.symlink_to(first)
    adapter = stage.start(program=link)
    link.unlink()
    link.symlink_to(second)
    change(adapter, signal.SIGHUP)
    assert os.readlink(f"/proc/{adapter.pid}/exe") == str(first)
    change(adapter, signal.SIGUSR2)
    assert os.readlink(f"/proc/{adapter.pid}/exe") == str(second)
    with open(f"/proc/{adapter.pid}/comm", encoding="ascii") as comm:
        assert comm.read() == "mygrpcadapter\n"


@BOTH
def test_bad_configuration_is_refused(stage, number):
    """A file that does not parse, an unknown setting, a value out of range: the message names line and setting, and
    nobody has noticed."""
    adapter = configured(stage).start()
    before = adapter.processes()
    client = stage.client(adapter)
    for count, (text, words) in enumerate((
            ("log: {", "adapter.cfg:1: syntax error"),
            ("\nworkers: { cuont = 3; };", "adapter.cfg:2: workers.cuont: unknown setting"),
            ("workers: { max_connections = 0; };", "adapter.cfg:1: workers.max_connections"))):
        adapter.configuration.write_text(text)
        assert words in wait_refused(adapter, number, count + 1)
        client.send(Metric("a.txt", f"after-{count}"))
    adapter.configuration.unlink()
    assert "cannot read" in wait_refused(adapter, number, 4)
    assert adapter.processes() == before
    adapter.configuration.write_text("")
    change(adapter, number)


def test_what_cannot_change(stage):
    """Settings that nothing but a restart can change are refused by name."""
    adapter = configured(stage)
    (stage.home / "elsewhere").mkdir()
    adapter.start()
    # The settings of the command line do not change; so those of the file are put in their place.
    flags = {"listen.address": "[::]", "listen.port": 0, "output.root": str(adapter.root), "segments.directory": ""}
    other = stage.adapter({"workers.count": 1})
    other.settings = {"workers.count": 1}
    other.root = adapter.root
    def write(**changes):
        values = {**flags, **{key.replace("__", "."): value for key, value in changes.items()}}
        values = {key: f'"{value}"' if isinstance(value, str) else value for key, value in values.items()}
        other.configuration.write_text(
            f"listen: {{ address = {values['listen.address']}; port = {values['listen.port']}; }};\n"
            f"output: {{ root = {values['output.root']}; }};\n"
            f"segments: {{ directory = {values['segments.directory']}; }};\n")
    adapter.drain()
    write()
    other.arguments = lambda: ["-c", str(other.configuration)]
    other.start()
    elsewhere = str(stage.home / "elsewhere")
    for count, (changes, words) in enumerate((
            ({"listen__address": "127.0.0.1"}, 'listen.address cannot change while the adapter runs: it is "[::]", not '
                                               '"127.0.0.1"'),
            ({"listen__port": 1}, 'listen.port cannot change while the adapter runs: it is "0", not "1"'),
            ({"output__root": elsewhere, "segments__directory": str(adapter.segments)}, "output.root cannot change"),
            ({"segments__directory": elsewhere}, "segments.directory cannot change"))):
        write(**changes)
        assert words in wait_refused(other, signal.SIGHUP, count + 1)
    write()
    change(other)


BROKEN = {
    "not executable": (None, "Permission denied"),
    "not a program": ("", "Exec format error"),
    "silent": ("#!/bin/sh\nexit 0\n", "the program ended without a word"),
    "talkative": ("#!/bin/sh\necho one; echo two >&2\n", "two"),
    "another release": (f"#!/bin/sh\nexec env -u MYGRPCADAPTER_HANDOVER {PROGRAM} \"$@\"\n", ""),
    "another layout": (f"#!/bin/sh\nMYGRPCADAPTER_HANDOVER=0 exec {PROGRAM} \"$@\"\n",
                       "what the running adapter hands over is not what version"),
    "hanging": ("#!/bin/sh\nexec sleep 1000\n", "the program took too long"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_program_is_refused(stage, kind):
    """A file that is no program that can take over is refused, whatever it is, and the running one serves on."""
    content, words = BROKEN[kind]
    adapter = stage.start({"workers.start_timeout_ms": 700 if kind == "hanging" else 20000}, program=own_program(stage))
    before = adapter.processes()
    client = stage.client(adapter)
    client.send(Metric("a.txt", "before"))
    if content is None:
        adapter.program.chmod(0o644)
    else:
        replace(adapter.program, content)
    assert words in wait_refused(adapter, signal.SIGUSR2)
    client.send(Metric("a.txt", "after"))
    until(lambda: adapter.processes() == before, "the rehearsal to be gone")
    replace(adapter.program)
    change(adapter, signal.SIGUSR2)
    stage.client(adapter).send(Metric("a.txt", "with the new one"))


def test_missing_program_is_refused(stage):
    """The program's file is gone: USR2 is refused, HUP goes on with what runs."""
    adapter = stage.start(program=own_program(stage))
    adapter.program.unlink()
    assert "No such file or directory" in wait_refused(adapter, signal.SIGUSR2)
    change(adapter, signal.SIGHUP)


def test_storm(stage):
    """Hundreds of signals under load: no call fails, and what is left is one crew."""
    adapter = stage.start(program=own_program(stage))
    load = Load(stage, adapter)
    for number in range(300):
        adapter.tell(random.Random(number).choice((signal.SIGHUP, signal.SIGUSR2)))
        time.sleep(0.002)
    def children():
        listed = subprocess.run(["ps", "--ppid", str(adapter.pid), "-o", "stat="], capture_output=True, text=True,
                                check=False)
        return listed.stdout.split()
    until(lambda: len(children()) == 3, lambda: f"one crew and no zombies, not {children()}")
    load.end()


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """A library that keeps a worker from being ready as long as a file is there."""
    library = tmp_path_factory.mktemp("shim") / "grpc_init_delay.so"
    source = REPOSITORY / "tests" / "system" / "lib" / "grpc_init_delay.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return library


def held_back(stage, shim, timeout_ms):
    """An adapter whose workers are not ready as long as a file is there; and that file."""
    hold = stage.home / "hold"
    adapter = stage.start({"workers.start_timeout_ms": timeout_ms}, program=own_program(stage),
                          environment={"LD_PRELOAD": str(shim), "GRPC_INIT_DELAY_FILE": str(hold)})
    return adapter, hold


@pytest.mark.skipif(SANITIZED, reason="a sanitizer wants to be the first library")
def test_new_workers_that_cannot_serve(stage, shim):
    """The workers of the new program never get ready: those of the one before serve on, until another try succeeds."""
    adapter, hold = held_back(stage, shim, 200)
    client = stage.client(adapter)
    client.send(Metric("a.txt", "before"))
    old = adapter.workers()
    hold.touch()
    adapter.tell(signal.SIGUSR2)
    adapter.wait_log("no new worker can serve; the old workers go on, and HUP or USR2 tries again")
    client.send(Metric("a.txt", "still"))
    assert all(is_running(pid) for pid in old.values())
    hold.unlink()
    adapter.tell(signal.SIGUSR2)
    adapter.wait_log("taken over")
    adapter.wait_gone(old.values())
    client.send(Metric("a.txt", "after"), wait_for_ready=True)
    adapter.drain()
    assert len(split(adapter.output("a.txt"))) == 3


@pytest.mark.skipif(SANITIZED, reason="a sanitizer wants to be the first library")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT], ids=["TERM", "QUIT"])
def test_end_in_the_middle(stage, shim, number):
    """Told to end while the new workers are not ready yet: everybody ends, exit 0, nothing is lost."""
    adapter, hold = held_back(stage, shim, 20000)
    client = stage.client(adapter)
    metric = client.send(Metric("a.txt", "a"))
    hold.touch()
    adapter.tell(signal.SIGHUP)
    adapter.wait_log("taking over")
    adapter.tell(number)
    adapter.wait_log("draining" if number == signal.SIGTERM else "stopping at once")
    hold.unlink()
    assert adapter.wait_end() == 0
    adapter.start()
    adapter.drain()
    assert adapter.output("a.txt") == metric.text()


def test_elder_with_a_silent_peer(stage):
    """An earlier worker whose connection does not end is cut off after workers.drain_timeout_ms; meanwhile the adapter can
    be reloaded again, and when it drains, waits for it."""
    adapter = stage.start({"workers.drain_timeout_ms": 5000, "workers.count": 1})
    with socket.create_connection(("127.0.0.1", adapter.port)):
        old = adapter.workers()
        stage.client(adapter).send(Metric("a.txt", "a"))
        for count in (1, 2):
            adapter.tell(signal.SIGHUP)
            adapter.wait_log("taken over", count)
        assert is_running(old[0])
        adapter.drain()
    adapter.wait_log("old worker ended", child_pid=old[0])


def test_elder_that_does_not_end(stage):
    """An earlier worker that is stopped is killed; nothing it had acknowledged is lost."""
    adapter = stage.start({"workers.drain_timeout_ms": 0, "workers.count": 1})
    metric = stage.client(adapter).send(Metric("a.txt", "a"))
    old = adapter.workers()[0]
    stop(old)
    adapter.tell(signal.SIGHUP)
    adapter.wait_log("taken over")
    adapter.wait_log("old worker ended", child_pid=old, killed_because="took too long to end", signal="SIGKILL")
    resume(adapter.pid)
    adapter.wait_output("a.txt", metric.text())


def test_master_killed_in_the_middle(stage):
    """SIGKILL for the master at many moments of a change: at the next start everything acknowledged is there once."""
    adapter = stage.adapter({"segments.size_bytes": 64 << 10}, program=own_program(stage))
    senders = []
    for number in range(10):
        adapter.start()
        fresh = [Sender(adapter, f"s{number}-{n}", ("a.txt", "b.txt"), (1, 20)).start() for n in range(3)]
        senders += fresh
        until(lambda fresh=fresh: all(len(sender.acknowledged) > 10 for sender in fresh), adapter.complaint)
        adapter.tell(signal.SIGHUP if number % 2 else signal.SIGUSR2)
        time.sleep(number * 0.012)
        send(adapter.pid)
        adapter.master.wait()
        stop_all(fresh)
        adapter.wait_gone()
    adapter.start()
    adapter.drain()
    sent = {ident: metric for sender in senders for ident, metric in sender.sent.items()}
    acknowledged = [ident for sender in senders for ident in sender.acknowledged]
    found = [ident for name in ("a.txt", "b.txt") for ident in idents(adapter.output(name), sent)]
    check_exactly_once(found, acknowledged, list(sent))


def test_service_manager_is_told(stage):
    """RELOADING and READY stand around each change, with the time that Type=notify-reload wants; a refusal is told too."""
    notify = NotifySocket(stage.home)
    adapter = configured(stage, environment={"NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "600000"}).start()
    notify.wait("READY", "1")
    change(adapter)
    notify.wait("READY", "1", 2)
    adapter.configuration.write_text("nonsense")
    why = wait_refused(adapter, signal.SIGHUP)
    notify.wait("READY", "1", 3)
    told = [key for message in notify.read() for key in message if key in ("READY", "RELOADING")]
    assert told == ["READY", "RELOADING", "READY", "RELOADING", "READY"]
    times = [int(time_us) for time_us in notify.find("MONOTONIC_USEC")]
    assert len(times) == 2 and times[0] < times[1] <= time.monotonic_ns() // 1000
    assert set(notify.find("MAINPID")) == {str(adapter.pid)}
    assert notify.find("STATUS")[-1] == f"reload refused: {why}"
    seen = len(notify.find("WATCHDOG"))
    notify.wait("WATCHDOG", "1", seen + 3)
    notify.socket.close()


def fetch(path):
    """What the admin process answers to GET /metrics at a socket's path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_admin_socket(stage):
    """Metrics are served on through a change, at another path after the file said so, and nowhere after it said that."""
    first, second = stage.home / "first", stage.home / "second"
    adapter = configured(stage, f'admin: {{ address = "{first}"; }};').start()
    adapter.wait_log("admin ready")
    for count in (2, 3):
        change(adapter)
        adapter.wait_log("admin ready", count)
        adapter.wait_log("old admin ended", count - 1)
        assert fetch(first).startswith(b"HTTP/1.1 200 OK")
    adapter.configuration.write_text(f'admin: {{ address = "{second}"; }};')
    change(adapter)
    adapter.wait_log("admin ready", 4)
    assert fetch(second).startswith(b"HTTP/1.1 200 OK") and not first.exists()
    adapter.configuration.write_text("")
    change(adapter)
    adapter.wait_log("old admin ended", 4)
    assert not second.exists()
