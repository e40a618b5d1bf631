"""grpc.health.v1.Health: what probes and load balancers are told, and `mygrpcadapter health`, which asks."""

import queue
import signal
import threading

import grpc
import pytest

from adapter import run_program
from client import Client
from metrics import Metric
from processes import resume, send, stop
from tmpfs import SmallVolume
from waiting import until

import health_pb2

CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
SERVICES = ["", "metric.HandleMetricService", "liveness"]
MIB = 1 << 20


def ask(client, service=""):
    """The status that Check answers."""
    answer = client.call(health_pb2.HealthCheckRequest(service=service).SerializeToString(), method=CHECK)
    assert answer.ok, answer
    return health_pb2.HealthCheckResponse.FromString(answer.response).status


class Watcher:
    """A Watch, whose answers a thread of its own takes."""

    def __init__(self, client, service="", request=None):
        wire = health_pb2.HealthCheckRequest(service=service).SerializeToString() if request is None else request
        self.call = client.channel.unary_stream(WATCH)(wire)
        self.statuses = queue.Queue()
        self.code = None
        self.thread = threading.Thread(target=self.take, daemon=True)
        self.thread.start()

    def take(self):
        """Until the stream ends."""
        try:
            for raw in self.call:
                self.statuses.put(health_pb2.HealthCheckResponse.FromString(raw).status)
            self.code = "OK"
        except grpc.RpcError as error:
            self.code = error.code().name

    def next(self):
        """The next status."""
        return self.statuses.get(timeout=30)

    def end(self):
        """The status code that the stream ended with."""
        self.thread.join(30)
        return self.code


@pytest.fixture(name="adapter", scope="module")
def shared_adapter(shared_stage):
    """One that serves."""
    return shared_stage.start()


@pytest.fixture(name="client")
def client_of_it(stage, adapter):
    """A connection to it."""
    return stage.client(adapter)


@pytest.mark.parametrize("service", SERVICES)
def test_check(client, service):
    """An adapter that serves says so, by each of its names."""
    assert ask(client, service) == SERVING


def test_check_of_another_service(client):
    """NOT_FOUND, as the protocol has it."""
    request = health_pb2.HealthCheckRequest(service="metric.Nobody").SerializeToString()
    assert client.call(request, method=CHECK).status == "NOT_FOUND"


@pytest.mark.parametrize("method", [CHECK, WATCH])
def test_garbage(client, method):
    """What is no request is refused."""
    if method == CHECK:
        assert client.call(b"\x0a\x7f", method=CHECK).status == "INVALID_ARGUMENT"
    else:
        assert Watcher(client, request=b"\x0a\x7f").end() == "INVALID_ARGUMENT"


def test_watch_of_another_service(client):
    """SERVICE_UNKNOWN, and the stream stays."""
    watcher = Watcher(client, "metric.Nobody")
    assert watcher.next() == SERVICE_UNKNOWN
    assert watcher.code is None
    watcher.call.cancel()


def test_watchers_are_bounded(stage, adapter):
    """So many to a worker; when one has gone, another is taken. Calls go on beside them."""
    client = stage.client(adapter)  # one connection: one worker
    watchers = [Watcher(client) for _ in range(64)]
    assert [watcher.next() for watcher in watchers] == [SERVING] * 64
    refused = [Watcher(client) for _ in range(20)]
    assert {watcher.end() for watcher in refused} == {"RESOURCE_EXHAUSTED"}
    client.send(Metric("a.txt", "beside"))
    watchers[7].call.cancel()

    def taken():
        watcher = Watcher(client)
        try:
            return watcher.statuses.get(timeout=0.5) == SERVING
        except queue.Empty:
            return False
    until(taken, "the place of the one that has gone")
    for watcher in watchers:
        watcher.call.cancel()


def test_watch_through_a_drain(stage):
    """NOT_SERVING when the drain begins, then the end, and nothing of it keeps the adapter from ending."""
    adapter = stage.start({"workers.drain_timeout_ms": 60000})
    watcher = Watcher(stage.client(adapter))
    alive = Watcher(stage.client(adapter), "liveness")
    assert watcher.next() == alive.next() == SERVING
    adapter.drain()
    assert watcher.next() == NOT_SERVING
    assert watcher.end() == alive.end() == "UNAVAILABLE"
    assert alive.statuses.empty()


def test_a_watcher_that_goes(stage, adapter):
    """Connections that are cut while they watch leave nothing behind."""
    for _ in range(3):
        cut = Client(adapter.target)
        watchers = [Watcher(cut) for _ in range(60)]
        assert [watcher.next() for watcher in watchers] == [SERVING] * 60
        cut.close()
    assert ask(stage.client(adapter)) == SERVING


def fill_a_worker(adapter, client, volume):
    """Has one worker meet the end of the volume, and the others not."""
    volume.fill(leave_bytes=100 << 10)
    for number in range(500):
        if not client.call(Metric("a.txt", f"n-{number}", 200).wire()).ok:
            return
    raise AssertionError("no call was refused")


def test_full_volume(stage):
    """While a worker refuses calls, every worker says NOT_SERVING, but not that it should be killed. When there is room,
    they serve again, without a call that tries it."""
    with SmallVolume(stage.home / "small", 8 * MIB) as volume:
        adapter = stage.adapter({"segments.size_bytes": 256 << 10, "output.max_files": 8}, root=volume.root,
                                wrapper=volume.wrapper)
        adapter.seen_root = volume.seen
        adapter.start()
        clients = [stage.client(adapter) for _ in range(2)]
        watchers = [Watcher(client) for client in clients]
        assert [watcher.next() for watcher in watchers] == [SERVING] * 2
        fill_a_worker(adapter, clients[0], volume)
        assert [watcher.next() for watcher in watchers] == [NOT_SERVING] * 2
        assert [ask(client) for client in clients] == [NOT_SERVING] * 2
        assert [ask(client, "liveness") for client in clients] == [SERVING] * 2
        assert run_program("health", adapter.target).returncode == 1
        volume.relieve()
        assert [watcher.next() for watcher in watchers] == [SERVING] * 2
        adapter.wait_log("calls are accepted again")


def test_segments_at_their_limit(stage):
    """The same when segments.limit_bytes is reached."""
    settings = {"workers.count": 1, "segments.size_bytes": 256 << 10, "segments.limit_bytes": MIB,
                "workers.stall_timeout_ms": 60000}
    adapter = stage.start(settings)
    client = stage.client(adapter)
    watcher = Watcher(client)
    assert watcher.next() == SERVING
    stop(adapter.collector())
    while client.call(Metric("a.txt", "n", 200).wire()).ok:
        pass
    assert watcher.next() == NOT_SERVING
    resume(adapter.collector())
    assert watcher.next() == SERVING


def test_a_worker_that_died_is_not_asked_about(stage):
    """A worker that is not there keeps nobody from being healthy, nor does one that is replaced."""
    adapter = stage.start()
    client = stage.client(adapter)
    assert ask(client) == SERVING
    for _ in range(3):
        send(adapter.wait_workers(2)[1])
        adapter.wait_log("worker ended", 1)
        until(lambda: client.call(b"", method=CHECK, wait_for_ready=True).ok, "an answer")
        assert ask(client) == SERVING


# ---- the command


def test_command(adapter):
    """Prints the status; its exit code is the answer."""
    done = run_program("health", adapter.target)
    assert (done.returncode, done.stdout, done.stderr) == (0, "SERVING\n", "")
    done = run_program("health", "--service", "liveness", f"localhost:{adapter.port}")
    assert (done.returncode, done.stdout) == (0, "SERVING\n")
    done = run_program("health", "--service", "nobody", adapter.target)
    assert (done.returncode, done.stdout) == (1, "") and "no such service" in done.stderr


def test_command_without_an_adapter(stage):
    """69 where nobody listens, and where somebody does who does not answer."""
    done = run_program("health", "127.0.0.1:1")
    assert done.returncode == 69 and done.stdout == ""
    adapter = stage.start({"workers.count": 1, "workers.stall_timeout_ms": 60000})
    stop(adapter.workers()[0])
    done = run_program("health", "--timeout-ms", "300", adapter.target)
    assert done.returncode == 69 and done.stdout == ""
    resume(adapter.workers()[0])


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--timeout-ms", "0"], ["--timeout-ms"], ["a:1", "b:1"], [""]])
def test_command_used_wrongly(arguments):
    """64, and a line that says why."""
    done = run_program("health", *arguments)
    assert done.returncode == 64 and done.stdout == "" and done.stderr.count("\n") == 1


def test_command_help():
    """--help is not an error."""
    assert run_program("health", "--help").returncode == 0


def test_drain_by_another_signal(stage):
    """SIGINT drains as SIGTERM does; who watches is told."""
    adapter = stage.start()
    watcher = Watcher(stage.client(adapter))
    assert watcher.next() == SERVING
    adapter.drain(signal.SIGINT)
    assert watcher.next() == NOT_SERVING
