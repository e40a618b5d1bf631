"""The master and its service manager: a passed socket, readiness, status and the watchdog."""

import os
import shutil
import signal
import socket
import subprocess

import pytest

from adapter import PROGRAM, make_environment
from metrics import Metric
from service import NotifySocket
from waiting import until

ACTIVATE = shutil.which("systemd-socket-activate")
needs_activate = pytest.mark.skipif(ACTIVATE is None, reason="systemd-socket-activate (package systemd) is not here")


@pytest.fixture
def manager(stage):
    """A notify socket."""
    notify = NotifySocket(stage.home)
    yield notify
    notify.socket.close()


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def activated(stage, port, settings=None):
    """An adapter that systemd-socket-activate starts with the first connection to the port; it keeps its pid."""
    names = [name for name in make_environment() if name.startswith(("MYGRPCADAPTER", "ASAN", "UBSAN"))]
    wrapper = [ACTIVATE, "-l", f"127.0.0.1:{port}", *(word for name in names for word in ("-E", name))]
    adapter = stage.adapter(settings, wrapper=wrapper).spawn()
    def knock():
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except ConnectionRefusedError:
            return False
    until(knock, "systemd-socket-activate to listen")
    adapter.wait_listening()
    return adapter


@needs_activate
def test_passed_socket(stage):
    """The socket that was passed is served, the connection that waited in it included, and the settings are not."""
    port = free_port()
    adapter = activated(stage, port, {"listen.port": 1})
    assert adapter.port == port
    line, = adapter.log.find("listening on the socket that was passed; listen.address and listen.port differ from it "
                             "and are not used")
    assert line.fields["passed"] == f"127.0.0.1:{port}"
    assert line.fields["configured"] == "[::]:1"
    client = stage.client(adapter)
    metric = client.send(Metric("a.txt", "a"))
    adapter.wait_output("a.txt", metric.text())


@needs_activate
def test_passed_socket_survives_a_reload(stage):
    """The socket that was passed is the one that the next program serves."""
    port = free_port()
    adapter = activated(stage, port)
    adapter.tell(signal.SIGHUP)
    adapter.wait_log("taken over", address=f"127.0.0.1:{port}")
    stage.client(adapter).send(Metric("a.txt", "a"))


@needs_activate
def test_passed_socket_as_configured(stage):
    """Nothing is said if settings and socket agree."""
    port = free_port()
    adapter = activated(stage, port, {"listen.port": port, "listen.address": "127.0.0.1"})
    assert not [line for line in adapter.log.lines() if line.level == "warning"]


def run_with_sockets(stage, *sockets):
    """Runs the program to its end with these as passed sockets."""
    def arrange():
        for number, passed in enumerate(sockets):
            os.dup2(passed.fileno(), 3 + number)
        os.environ["LISTEN_PID"] = str(os.getpid())
    # The shell becomes the program, so that LISTEN_PID can be right.
    command = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", str(PROGRAM), *stage.adapter().arguments()]
    keep = [3 + number for number in range(len(sockets))]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, pass_fds=keep,
                          preexec_fn=arrange, env={**make_environment(), "LISTEN_FDS": str(len(sockets))})


def test_passed_sockets_that_cannot_be_used(stage):
    """Two sockets, one that does not listen, one that is not TCP: refused in one line, exit code 64."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        result = run_with_sockets(stage, one, two)
    assert result.returncode == 64
    assert result.stderr.startswith("mygrpcadapter: 2 sockets were passed (LISTEN_FDS); one is expected")
    for family, kind in ((socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM)):
        with socket.socket(family, kind) as passed:
            passed.bind(("127.0.0.1", 0))
            result = run_with_sockets(stage, passed)
        assert result.returncode == 64
        assert result.stderr == ("mygrpcadapter: the socket that was passed (LISTEN_FDS) is not a listening TCP "
                                 "socket\n")


def test_sockets_for_somebody_else(stage):
    """LISTEN_FDS with the pid of another process is not for us."""
    adapter = stage.start(environment={"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})
    stage.client(adapter).send(Metric("a.txt", "a"))


def test_readiness_and_the_end(stage, manager):
    """READY comes when every worker serves, with the master's pid; STOPPING when it drains."""
    adapter = stage.start(environment={"NOTIFY_SOCKET": manager.path})
    manager.wait("READY", "1")
    assert manager.find("MAINPID") == [str(adapter.pid)]
    until(lambda: manager.find("STATUS"), "a status")
    assert manager.find("STATUS") == [f"listening on [::]:{adapter.port}, 2 workers"]
    assert manager.find("STOPPING") == []
    adapter.drain()
    assert manager.find("STOPPING") == ["1"]
    assert manager.find("STATUS")[1:] == ["draining: SIGTERM", "draining: merging what is left"]
    assert manager.find("READY") == ["1"]


def test_stopping_at_once(stage, manager):
    """QUIT tells as well."""
    adapter = stage.start(environment={"NOTIFY_SOCKET": manager.path})
    adapter.tell(signal.SIGQUIT)
    assert adapter.wait_end() == 0
    assert manager.find("STOPPING") == ["1"]


def test_watchdog(stage, manager):
    """The watchdog is fed while the master's loop turns."""
    stage.start(environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"})
    manager.wait("WATCHDOG", "1", 5)


def test_nobody_listens_any_more(stage, manager):
    """A service manager that is gone is no reason to fail."""
    adapter = stage.start(environment={"NOTIFY_SOCKET": manager.path})
    manager.socket.close()
    os.unlink(manager.path)
    adapter.drain()
    assert adapter.log.find("cannot tell the service manager")
