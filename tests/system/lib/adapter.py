"""The program under test: started on a volume of its own, watched through its log, and ended by pid."""

import os
import re
import signal
import subprocess
import uuid
from pathlib import Path

from log_lines import LogFile
from processes import MARK, is_running, marked, send
from waiting import until

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAM = Path(os.environ.get("MYGRPCADAPTER", "build/mygrpcadapter"))
if not PROGRAM.is_absolute():
    PROGRAM = REPOSITORY / PROGRAM
IMAGE = PROGRAM.read_bytes() if PROGRAM.exists() else b""
SANITIZED = b"__asan_init" in IMAGE
CRASH_POINTS = b"MYGRPCADAPTER_CRASH_POINTS" in IMAGE  # built with `make CRASH=1`

START_SECONDS = 30.0
END_SECONDS = 40.0
LISTENING = re.compile(rb'^listening on "(.*):(\d+)"\n', re.MULTILINE)

# Every report is on standard error and ends its process; the link order is not ours when a test preloads a library.
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "exitcode=99:abort_on_error=0:detect_leaks=1:verify_asan_link_order=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


def make_environment(mark="", extra=None):
    """The environment of a child: this one's, the mark, and what makes sanitizers speak."""
    environment = dict(os.environ)
    for key, value in SANITIZER_OPTIONS.items():
        environment[key] = ":".join(filter(None, (environment.get(key), value)))
    environment[MARK] = mark
    environment.update(extra or {})
    return environment


def run_program(*arguments, seconds=START_SECONDS):
    """Runs the program to its end; returns the finished process with text output."""
    command = [str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False,
                          env=make_environment())


class Adapter:
    """One adapter in `home`, which holds its logs and, unless `root` is elsewhere, its volume.

    `settings` override those below; what stands in `configuration`, a file, overrides neither. It can be started again
    after its end, on the same volume and port.
    """

    def __init__(self, home, settings=None, root=None, environment=None, wrapper=(), program=PROGRAM):
        self.home = Path(home)
        self.root = Path(root) if root else self.home / "volume"
        self.seen_root = self.root  # where the test sees it
        self.settings = {"workers.count": 2, "output.root": self.root, **(settings or {})}
        self.environment = environment or {}
        self.wrapper = wrapper
        self.program = program
        self.configuration = self.home / "adapter.cfg"
        self.mark = uuid.uuid4().hex
        self.runs = 0
        self.port = 0
        self.master = None  # the process
        self.log = None
        self.ended_by_test = False

    # ---- starting

    def arguments(self, *extra):
        """The command line, without the program."""
        self.configuration.touch()
        settings = {"listen.port": self.port, **self.settings}
        flags = [part for key, value in settings.items() for part in ("-s", f"{key}={value}")]
        return ["-c", str(self.configuration), *flags, *map(str, extra)]

    def spawn(self, *extra, stdout=None, stderr=None):
        """Starts the program, with files of its own for standard output and standard error unless others are given, and
        does not wait."""
        if self.seen_root == self.root:
            self.root.mkdir(exist_ok=True)
        self.runs += 1
        self.ended_by_test = False
        command = [*self.wrapper, str(self.program), *self.arguments(*extra)]
        with open(self.stdout_path(), "ab") as out, open(self.log_path(), "ab") as err:
            self.master = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out if stdout is None else stdout,
                stderr=err if stderr is None else stderr,
                cwd=self.home, env=make_environment(self.mark, self.environment))
        self.log = LogFile(self.log_path(), self.settings.get("log.format", "text"))
        return self

    def start(self, *extra):
        """Starts the program; returns when it listens."""
        self.spawn(*extra)
        self.wait_listening()
        return self

    def wait_listening(self):
        """Waits for the line on standard output, and takes the port from it."""
        match = until(self.find_listening, lambda: f"listening; {self.complaint()}", START_SECONDS)
        self.port = int(match.group(2))

    def find_listening(self):
        """The line that says it listens, None if it has not come; fails if the program ended instead."""
        match = LISTENING.search(self.stdout())
        if match is None and self.master.poll() is not None:
            raise AssertionError(f"ended before it listened: {self.complaint()}")
        return match

    # ---- looking

    @property
    def pid(self):
        """The master's."""
        return self.master.pid

    @property
    def target(self):
        """Where clients find it, over IPv4."""
        return f"127.0.0.1:{self.port}"

    @property
    def segments(self):
        """The segment directory."""
        return self.seen_root / ".mygrpcadapter"

    def stdout_path(self, run=None):
        """The file that is standard output of a run, the last by default."""
        return self.home / f"stdout.{run or self.runs}"

    def log_path(self, run=None):
        """The file that is standard error of a run, the last by default."""
        return self.home / f"log.{run or self.runs}"

    def stdout(self):
        """What the last run has written to standard output."""
        return self.stdout_path().read_bytes()

    def records_on_stdout(self):
        """The same without the line that says it listens."""
        return LISTENING.sub(b"", self.stdout(), count=1)

    def complaint(self):
        """What it said last, for a failure's message."""
        tail = self.log_path().read_text(errors="replace").splitlines()[-8:]
        return f"exit code {self.master.poll()}, log:\n  " + "\n  ".join(tail)

    def output(self, name):
        """What stands in an output file; nothing if it is not there."""
        try:
            return (self.seen_root / name).read_bytes()
        except FileNotFoundError:
            return b""

    def rotated_output(self, name, keep=1000):
        """What stands in an output file and its rotated ones, the oldest first."""
        numbers = [number for number in range(keep, 0, -1) if (self.seen_root / f"{name}.{number}").exists()]
        return b"".join(self.output(f"{name}.{number}") for number in numbers) + self.output(name)

    def workers(self):
        """The pids of the workers that are ready, by slot."""
        ready = {}
        for line in self.log.lines():
            if line.event == "worker ready":
                ready[line.number("slot")] = line.number("child_pid")
            elif line.event == "worker ended" and line.number("slot") in ready:
                del ready[line.number("slot")]
        return ready

    def collector(self):
        """The pid of the collector that was started last."""
        return self.log.find("collector started")[-1].number("child_pid")

    def processes(self):
        """The pids of all its processes, of every run, master and children."""
        return marked(self.mark)

    def segment_files(self):
        """Names of the segments that may hold records. (A ".new" file, which a worker that was killed while it made it
        may leave for a moment, never does.)"""
        if not self.segments.exists():
            return []
        return sorted(path.name for path in self.segments.iterdir()
                      if path.suffix in (".open", ".sealed"))

    def quarantined(self):
        """The files that were set aside."""
        directory = self.segments / "quarantine"
        return sorted(directory.iterdir()) if directory.exists() else []

    # ---- waiting

    def wait_log(self, event, count=1, **fields):
        """Waits until the log tells of that event so often; returns those lines."""
        def found():
            lines = self.log.find(event, **fields)
            return lines if len(lines) >= count else None
        return until(found, lambda: f"{count} x {event} {fields}; {self.complaint()}")

    def wait_workers(self, count):
        """Waits until so many workers are ready; returns their pids by slot."""
        def ready():
            workers = self.workers()
            return workers if len(workers) == count else None
        return until(ready, lambda: f"{count} workers; {self.complaint()}")

    def wait_output(self, name, expected):
        """Waits until an output file holds exactly these bytes; fails at once if it holds others."""
        def arrived():
            found = self.output(name)
            assert expected.startswith(found), f"{name}: {found[-400:]!r} is not {expected[-400:]!r}"
            return found == expected
        until(arrived, lambda: f"{name}: {len(self.output(name))} of {len(expected)} bytes")

    def wait_gone(self, pids=None):
        """Waits until these processes, by default all of its own, have ended."""
        def left():
            return self.processes() if pids is None else [pid for pid in pids if is_running(pid)]
        until(lambda: not left(), lambda: f"processes are left behind: {left()}")

    # ---- ending

    def tell(self, number):
        """Sends a signal to the master."""
        self.master.send_signal(number)

    def wait_end(self, seconds=END_SECONDS):
        """Waits for the master's end; returns its exit code. No process may be left then."""
        try:
            code = self.master.wait(seconds)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"has not ended; {self.complaint()}") from late
        self.ended_by_test = True
        if code >= 0 and self.runs > 1:
            self.wait_gone()  # children of a master killed before this one have a moment to end
        elif code >= 0:
            assert self.processes() == [], "processes are left behind"
        return code

    def drain(self, number=signal.SIGTERM):
        """Has it drain: everything merged, exit code 0, nothing left."""
        self.tell(number)
        code = self.wait_end()
        assert code == 0, self.complaint()
        assert self.segment_files() == []

    def kill_all(self):
        """SIGKILL for every process of it. The master is held first, so that nobody is replaced, and so that no child
        learns of its death: the kernel would let a stopped one go on."""
        if self.master is not None and self.master.poll() is None:
            self.tell(signal.SIGSTOP)
            for pid in self.processes():
                if pid != self.pid:
                    send(pid)
            until(lambda: set(self.processes()) <= {self.pid}, "the children to die")
            self.master.kill()
            self.master.wait()
        for pid in self.processes():
            send(pid)
        self.wait_gone()
        self.ended_by_test = True

    def alarms(self):
        """What no log of any run may hold."""
        return [alarm for run in range(1, self.runs + 1)
                for alarm in LogFile(self.log_path(run), self.settings.get("log.format", "text")).alarms()]
