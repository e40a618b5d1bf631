"""Workers that die before they are ready: back-off, then the slot is given up, and the rest serves."""

import subprocess

import pytest

from adapter import REPOSITORY
from metrics import Metric
from processes import send
from waiting import until

START_DEATHS_MAX = 6
BACKOFFS_MS = [100, 200, 400, 800, 1600]


@pytest.fixture(scope="module", name="shim")
def build_shim(tmp_path_factory):
    """The library that holds up grpc_init() while a file exists."""
    library = tmp_path_factory.mktemp("shim") / "grpc_init_delay.so"
    source = REPOSITORY / "tests" / "system" / "lib" / "grpc_init_delay.c"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def make_delayed(stage, shim, settings):
    """An adapter whose workers get no further than grpc_init() while adapter.barrier exists."""
    barrier = stage.home / "barrier"
    adapter = stage.adapter(settings, environment={"LD_PRELOAD": str(shim), "GRPC_INIT_DELAY_FILE": str(barrier)})
    adapter.barrier = barrier
    return adapter


def kill_at_each_start(adapter, slot, count, seen):
    """SIGKILL for the worker of a slot each time one is started, `count` times; `seen` starts are passed over. Returns
    the lines that tell of their ends."""
    pids = []
    for number in range(count):
        line = adapter.wait_log("worker started", seen + number + 1, slot=slot)[seen + number]
        pids.append(line.number("child_pid"))
        send(pids[-1])
    return [adapter.wait_log("worker ended", slot=slot, child_pid=pid)[0] for pid in pids]


def check_given_up(ended):
    """The back-off doubles from 100 ms, and after six deaths in a row the slot is FAILED."""
    for line, backoff_ms in zip(ended, BACKOFFS_MS):
        assert line.fields["next"] == f"respawn in {backoff_ms} ms", line.raw
    assert ended[-1].fields["next"] == "given up" and ended[-1].level == "error"


def test_worker_that_dies_at_its_start(stage, shim):
    """A slot whose worker dies again and again before it is ready is given up; the others serve and it listens."""
    adapter = make_delayed(stage, shim, {"workers.count": 3})
    adapter.barrier.touch()
    adapter.spawn()
    check_given_up(kill_at_each_start(adapter, 1, START_DEATHS_MAX, 0))
    assert adapter.stdout() == b"", "no worker serves yet"
    adapter.barrier.unlink()
    adapter.wait_listening()
    assert sorted(adapter.workers()) == [0, 2]
    clients = [stage.client(adapter) for _ in range(4)]
    for number, client in enumerate(clients):
        client.send(Metric("a.txt", f"n-{number}"))
    adapter.drain()


def test_successor_that_dies_at_its_start(stage, shim):
    """The same for the successors of a worker that had served; the others serve all the while, and one of them that
    dies is replaced still."""
    adapter = make_delayed(stage, shim, {"workers.count": 2}).start()
    adapter.barrier.touch()
    client = stage.client(adapter)
    first = adapter.workers()[1]
    send(first)
    assert adapter.wait_log("worker ended", child_pid=first)[0].fields["next"] == "respawn now"
    check_given_up(kill_at_each_start(adapter, 1, START_DEATHS_MAX, 1))
    until(lambda: client.call(Metric("a.txt", "x").wire()).ok, "the other worker to serve")
    adapter.barrier.unlink()
    send(adapter.workers()[0])
    adapter.wait_log("worker ready", 2, slot=0)
    until(lambda: client.call(Metric("a.txt", "x").wire()).ok, "its successor to serve")
    assert len(adapter.log.find("worker started", slot=1)) == 1 + START_DEATHS_MAX


def test_no_worker_can_serve(stage, shim):
    """When every slot is given up, the adapter ends with 70 and never said that it listens."""
    adapter = make_delayed(stage, shim, {"workers.count": 1})
    adapter.barrier.touch()
    adapter.spawn()
    check_given_up(kill_at_each_start(adapter, 0, START_DEATHS_MAX, 0))
    assert adapter.wait_end() == 70
    assert adapter.stdout() == b"" and adapter.processes() == []


def test_worker_that_is_too_slow_to_start(stage, shim):
    """A worker that is not ready within workers.start_timeout_ms is killed and counts as one that died at its start."""
    adapter = make_delayed(stage, shim, {"workers.count": 1, "workers.start_timeout_ms": 300})
    adapter.barrier.touch()
    adapter.spawn()
    ended = adapter.wait_log("worker ended", killed_because="took too long to start")[0]
    assert ended.fields["signal"] == "SIGKILL" and ended.fields["next"] == "respawn in 100 ms"
    adapter.settings["workers.start_timeout_ms"] = 30000
    adapter.barrier.unlink()
    adapter.wait_listening()


def test_told_to_end_while_workers_start(stage, shim):
    """SIGTERM while no worker is ready yet: exit 0, nothing left."""
    adapter = make_delayed(stage, shim, {"workers.count": 2})
    adapter.barrier.touch()
    adapter.spawn()
    adapter.wait_log("worker started", 2)
    adapter.tell(15)
    adapter.barrier.unlink()
    assert adapter.wait_end() == 0
    assert adapter.processes() == []
