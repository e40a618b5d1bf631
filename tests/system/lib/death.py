"""Deaths inside a batch: strace kills the collector as it begins a system call that the test chose, and nobody goes on before
the test is done with the volume."""

import signal
import subprocess

from ledgers import wait_settled
from processes import is_running, resume, stop
from waiting import until

# Where a collector can die that delivers to an output which it has delivered to before: the call, and the how manyth. A record
# of the ledger is written twice, so the intent is the first two calls of pwrite64, and the settled record the other two.
BEFORE_THE_INTENT = ("pwrite64", 1)
IN_THE_INTENT = ("pwrite64", 2)
BEFORE_DELIVERY = ("writev", 1)
DELIVERED = ("pwrite64", 3)
SETTLING = ("pwrite64", 4)
EVERYWHERE = [BEFORE_THE_INTENT, IN_THE_INTENT, BEFORE_DELIVERY, DELIVERED, SETTLING]


class Tampering:
    """strace on a process, which does something to a system call of it; a context manager that waits for its end."""

    def __init__(self, pid, call, what, log):
        self.pid = pid
        self.log = log
        self.command = ["strace", "-e", f"trace={call}", "-e", f"inject={call}:{what}", "-p", str(pid)]
        self.process = None

    def __enter__(self):
        """Returns when the process is traced. One that is stopped stays so."""
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: f"Process {self.pid} attached" in self.log.read_text(),
              lambda: f"strace to attach: {self.log.read_text()}")
        return self

    def __exit__(self, *_):
        """Lets go of the process, if it is still there."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait()


def die_in_a_batch(adapter, send, place, name=""):
    """Has `send` make calls that become one batch, and the collector die at that place of it. Then everything is killed.
    Where another output's batch cannot be ended, `name` is that of the calls' output."""
    collector = adapter.collector()
    wait_settled(adapter, name)
    stop(collector)
    sent = send()
    stop(adapter.pid)  # nobody is started in the dead one's place
    call, number = place
    with Tampering(collector, call, f"signal=KILL:when={number}", adapter.home / "strace.log"):
        resume(collector)
        until(lambda: not is_running(collector), "the collector to die inside the batch")
    adapter.kill_all()
    return sent
