"""The system calls that processes make to files of the volume, as strace(1) sees them, in words that do not change from run
to run."""

import os
import re
import signal
import subprocess
from dataclasses import dataclass

from waiting import until

# What changes a file or a name, or waits for the disk; and what carries an answer to a client.
TRACED = ("openat", "openat2", "mkdirat", "renameat2", "renameat", "unlinkat", "fallocate", "pwrite64", "writev",
          "ftruncate", "fsync", "fdatasync", "sendmsg", "clone", "clone3")

STARTED = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
WHOLE = re.compile(r"^(\d+) +(\w+)\((.*)$")
SEGMENT = re.compile(r"^\d{5}-\d+-0*(\d+)\.(\w+)$")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
DESCRIPTOR = re.compile(r"\d+<([^>]*)>")
BORN = re.compile(r"\) += (\d+)$")
ANSWER = "grpc-status"  # as long as a connection has not sent it before, it stands there in full


@dataclass(frozen=True)
class SystemCall:
    """One call, with its arguments and result as strace writes them."""

    thread: int
    name: str
    text: str

    def succeeded(self):
        """Whether it did not fail."""
        return " = -1 " not in self.text


def parse(lines):
    """The calls in the order in which they ended; those that send something, in which they began."""
    begun = {}
    for line in lines:
        line = line.rstrip("\n")
        if match := STARTED.match(line):
            thread, name, text = int(match[1]), match[2], match[3]
            begun[thread] = text
            if name == "sendmsg":
                yield SystemCall(thread, name, text)
        elif match := RESUMED.match(line):
            thread, name = int(match[1]), match[2]
            if name != "sendmsg":
                yield SystemCall(thread, name, begun.pop(thread, "") + match[3])
        elif match := WHOLE.match(line):
            yield SystemCall(int(match[1]), match[2], match[3])


OPTIONS = ("-y", "-s", "4096", "-e", "signal=none", "-e", "trace=" + ",".join(TRACED))


class Described:
    """System calls to the files of an adapter's volume, in words."""

    def __init__(self, adapter):
        self.adapter = adapter
        self.file = adapter.home / "strace"
        self.segments = None  # the names of those that are told of; None: all

    def name(self, path):
        """What a path of the volume is called here; None for any other."""
        root, segments = str(self.adapter.root), str(self.adapter.segments)
        path = path.removesuffix(" (deleted)").removesuffix("(deleted)")
        base = os.path.basename(path)
        if path in (root, segments):
            return {root: "output.root", segments: "segments.directory"}[path]
        if os.path.isabs(path) and not path.startswith(root + "/"):
            return None
        if match := SEGMENT.match(base):
            if self.segments is not None and base not in self.segments:
                return None
            return f"segment {match[1]} .{match[2]}"
        if base.startswith("ledger-"):
            return "ledger" + (" .new" if base.endswith(".new") else "")
        return base

    def describe(self, call):
        """A line about a call, or None if it is not of interest."""
        quoted = [self.name(found) for found in QUOTED.findall(call.text)]
        descriptors = [self.name(found) for found in DESCRIPTOR.findall(call.text)]
        if call.name == "sendmsg":
            return "answer" if ANSWER in call.text else None
        if not call.succeeded() or None in (*quoted, *descriptors[:1]) or not descriptors:
            return None
        if call.name.startswith("openat"):
            return f"create {quoted[0]}" if "O_CREAT" in call.text else None
        if call.name.startswith("rename"):
            return f"rename {quoted[0]} to {quoted[1]}"
        if call.name in ("mkdirat", "unlinkat"):
            return f"{call.name} {quoted[0]}"
        return f"{call.name} {descriptors[0]}"

    def lines(self):
        """What the process did."""
        with open(self.file, encoding="utf-8", errors="replace") as file:
            return [line for line in map(self.describe, parse(file)) if line is not None]

    def lines_by_thread(self):
        """The same for one thread after the other, with an empty line between them: between threads no order holds. What one
        was at the end of when the trace began, the sync of a directory, is left out."""
        threads = {}
        with open(self.file, encoding="utf-8", errors="replace") as file:
            for call in parse(file):
                line = self.describe(call)
                if line is not None and (threads or not line.startswith("fsync")):
                    threads.setdefault(call.thread, []).append(line)
        return "\n\n".join("\n".join(lines) for lines in threads.values()).split("\n")


class Trace(Described):
    """strace on one process and its threads, until that has ended."""

    def __init__(self, adapter, pid):
        super().__init__(adapter)
        self.pid = pid
        self.said = adapter.home / "strace.log"
        self.process = None

    def __enter__(self):
        """Returns when every thread is traced."""
        command = ["strace", "-f", *OPTIONS, "-o", self.file, "-p", str(self.pid)]
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        until(lambda: f"Process {self.pid} attached" in self.said.read_text(),
              lambda: f"strace to attach: {self.said.read_text()}")
        return self

    def __exit__(self, *failure):
        """Ends it if what it traces has not."""
        if self.process.poll() is None and failure[0] is not None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait()


class TraceOfStart(Described):
    """strace on an adapter from its start on, of whose processes one is looked at."""

    def __init__(self, adapter, durability):
        super().__init__(adapter)
        adapter.settings["segments.durability"] = durability
        adapter.wrapper = ("strace", "-D", "-f", "-o", str(self.file), *OPTIONS)

    def choose(self, pid):
        """Whom lines() tells of, with his threads; he forks nobody, and has ended."""
        threads = {pid}
        with open(self.file, "r+", encoding="utf-8", errors="replace") as file:
            lines = list(file)
            for call in parse(lines):
                if call.name.startswith("clone") and call.thread in threads and (born := BORN.search(call.text)):
                    threads.add(int(born[1]))
            file.seek(0)
            file.truncate()
            file.writelines(line for line in lines if int(line.split()[0]) in threads)
