"""Processes: those of one adapter, found by a mark in their environment, and how to hold one thread of one."""

import ctypes
import os
import signal

from waiting import until

PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WAIT_ALL = 0x40000000

MARK = "MYGRPCADAPTER_SYSTEM_TEST"


def read_bytes(path):
    """The bytes of a file under /proc, none if its process is gone."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def marked(mark):
    """The pids of all processes that were started with that mark, and of all they forked.

    Children keep the environment whoever their parent becomes; a zombie has none and is not counted.
    """
    wanted = f"{MARK}={mark}".encode()
    return sorted(
        int(name)
        for name in os.listdir("/proc")
        if name.isdigit() and wanted in read_bytes(f"/proc/{name}/environ").split(b"\0")
    )


def is_running(pid):
    """Whether the process is there, and no zombie."""
    stat = read_bytes(f"/proc/{pid}/stat")
    return bool(stat) and stat.rpartition(b")")[2].split()[0] not in (b"Z", b"X")


def thread_states(pid):
    """The letters that /proc shows for the threads of a process: T = stopped."""
    found = set()
    for tid in os.listdir(f"/proc/{pid}/task"):
        found.add(read_bytes(f"/proc/{pid}/task/{tid}/stat").rpartition(b")")[2].split()[0])
    return found


def stop(pid):
    """SIGSTOP; returns when every thread stands still."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: thread_states(pid) == {b"T"}, f"process {pid} to stop")


def resume(pid):
    """SIGCONT."""
    os.kill(pid, signal.SIGCONT)


def send(pid, number=signal.SIGKILL):
    """Sends a signal; a process that is gone already is no error."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class HeldThread:
    """The main thread of a process, stopped by ptrace while all others go on; a context manager.

    Raises PermissionError where ptrace is forbidden.
    """

    def __init__(self, pid):
        self.pid = pid
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long] + [ctypes.c_void_p] * 3

    def request(self, number):
        """One ptrace request without arguments."""
        if self.libc.ptrace(number, self.pid, None, None) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    def __enter__(self):
        self.request(PTRACE_SEIZE)
        self.request(PTRACE_INTERRUPT)
        os.waitpid(self.pid, WAIT_ALL)
        return self

    def __exit__(self, *_):
        if is_running(self.pid):
            self.request(PTRACE_DETACH)
