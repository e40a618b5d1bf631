"""The programs that are measured: started, watched through the kernel's accounts, and ended by pid."""

import re
import signal
import subprocess
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LISTENING = re.compile(rb'^listening on ".*:(\d+)"\n', re.MULTILINE)
START_SECONDS = 30
END_SECONDS = 60


def children_of(parent):
    """The pids of the living children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.name))
    return found


def cpu_seconds_of(pid):
    """What a process has used, user and system, all its threads, living and ended: its CPU clock, which the scheduler
    keeps to the nanosecond (clock_getcpuclockid(3); /proc/PID/stat has the same sum in steps of 10 ms)."""
    return time.clock_gettime((~pid << 3) | 2)


class Server:
    """One program in a directory of its own."""

    def __init__(self, name, home, command):
        self.name = name
        self.home = Path(home)
        self.home.mkdir(parents=True)
        self.command = command
        self.output = self.home / "out.txt"
        self.log = self.home / "log"
        self.process = None
        self.port = 0

    def start(self):
        """Starts it and waits until it listens."""
        self.output.touch()
        stdout = self.home / "stdout"
        with open(stdout, "wb") as out, open(self.log, "ab") as err:
            self.process = subprocess.Popen(list(map(str, self.command)), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            cwd=self.home)
        deadline = time.monotonic() + START_SECONDS
        while (match := LISTENING.search(stdout.read_bytes())) is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not start; see {self.log}")
            time.sleep(0.02)
        self.port = int(match.group(1))
        return self

    def tree(self):
        """The pids of all its processes."""
        pids = [self.process.pid]
        for pid in pids:
            pids += children_of(pid)
        return sorted(pids)

    def cpu_seconds(self, tree):
        """What the whole tree has used. The processes must be those given: the account of one that has come or gone
        would not be whole."""
        if self.tree() != tree:
            raise RuntimeError(f"processes of {self.name} have come or gone while it was measured; see {self.log}")
        return sum(cpu_seconds_of(pid) for pid in tree)

    def clear(self):
        """Empties what it has written."""
        for path in (self.output, self.log):
            with open(path, "rb+") as file:
                file.truncate(0)

    def stop(self):
        """Ends it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(END_SECONDS)
        self.process = None


class Adapter(Server):
    """The adapter itself, with these settings beside those that every one gets."""

    writes = True

    def __init__(self, name, home, program, workers, settings=()):
        # A disk that is slower than the load for some seconds is no reason to refuse calls here.
        settings = {"listen.port": 0, "listen.address": "127.0.0.1", "workers.count": workers, "output.root": Path(home),
                    "segments.limit_bytes": 4 << 30, "log.level": "warning", **dict(settings)}
        flags = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        super().__init__(name, home, [program, "-c", "/dev/null", *flags])

    def workers(self):
        """The pids of its workers."""
        return [pid for pid in self.tree() if Path(f"/proc/{pid}/comm").read_text().strip() == "mga-worker"]


class Nothing(Server):
    """The server that does nothing."""

    writes = False

    def __init__(self, name, home, program, workers):
        super().__init__(name, home, [program, workers])


class Walkthrough(Server):
    """The Go adapter; it has no workers but threads, as many as there are CPUs."""

    writes = True

    def __init__(self, name, home, program, quiet):
        super().__init__(name, home, [program, *(["-quiet"] if quiet else [])])


def memory_of(pid):
    """A process's resident memory in bytes: all, and the part that is no file's."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return {"rss": int(fields["VmRSS"].split()[0]) * 1024, "anonymous": int(fields["RssAnon"].split()[0]) * 1024}
