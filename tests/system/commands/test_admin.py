"""The admin process: what /metrics counts is what happened, and nothing that befalls it touches a call."""

import shutil
import signal
import socket
import subprocess

import pytest

from adapter import run_program
from metrics import Metric
from processes import resume, send, stop
from scrape import Admin
from tmpfs import SmallVolume
from waiting import until

ADDRESS = {"admin.address": "127.0.0.1:0"}
MIB = 1 << 20


@pytest.fixture(name="adapter")
def adapter_with_admin(stage):
    """One that serves metrics."""
    return stage.start(ADDRESS)


@pytest.fixture(name="admin")
def its_admin(adapter):
    """Where it does."""
    return Admin(adapter)


def admin_pid(adapter):
    """The pid of the admin process, which nobody waits for, once it serves."""
    return adapter.wait_log("admin ready")[-1].number("child_pid")


def wait_delivered(admin, records):
    """Waits until so many records are delivered, and the workers know that their answers are out, which a client may
    know before them; returns the metrics."""
    def delivered():
        metrics = admin.metrics()
        done = metrics.total("records_delivered_total") == records and metrics.total("calls_in_flight") == 0
        return metrics if done else None
    return until(delivered, lambda: f"{records} records delivered")


def test_it_counts_what_happened(stage, adapter, admin):
    """Calls, instances, bytes, connections, lag: by the numbers of a known load."""
    clients = [stage.client(adapter) for _ in range(4)]
    metrics = [Metric("a.txt", f"m-{number}", 1 + number % 3) for number in range(100)]
    for number, metric in enumerate(metrics):
        clients[number % 4].send(metric)
    seen = wait_delivered(admin, 100)
    assert seen.total("calls_total", code="OK") == 100
    assert seen.total("instances_total") == sum(metric.instances for metric in metrics)
    assert seen.total("request_bytes_total") == sum(len(metric.wire()) for metric in metrics)
    text = sum(len(metric.text()) for metric in metrics)
    assert seen.total("text_bytes_total") == seen.total("delivered_bytes_total") == text
    assert seen.all("connections") == [2, 2]
    assert seen.total("connections_accepted_total") == 4
    assert seen.total("calls_in_flight") == 0
    assert seen.total("call_duration_seconds_count") == seen.total("merge_lag_seconds_count") == 100
    assert seen.total("call_duration_seconds_sum") > 0 and seen.total("merge_lag_seconds_sum") > 0
    assert seen.total("segments") == 2 and seen.total("segment_bytes") == 2 * 16 * MIB
    assert seen.total("segment_unmerged_bytes") == seen.total("outputs_refusing") == seen.total("quarantined_total") == 0
    assert seen.total("merge_oldest_record_seconds") == 0
    assert seen.total("outputs") == 1 and seen.total("workers") == 2 and seen.total("ready") == 1
    assert seen.total("volume_free_bytes", volume="output") > 0


def test_histograms_are_sums(stage, adapter, admin):
    """Buckets grow with their bound, and the last holds all."""
    client = stage.client(adapter)
    for number in range(20):
        client.send(Metric("a.txt", f"m-{number}"))
    seen = wait_delivered(admin, 20)
    for name in ("call_duration_seconds", "merge_lag_seconds"):
        buckets = seen.all(f"{name}_bucket")
        assert buckets == sorted(buckets) and len(buckets) == 15
        assert buckets[-1] == seen.total(f"{name}_count") == seen.total(f"{name}_bucket", le="+Inf")
        bounds = [float(labels["le"]) for found, labels, _ in seen.samples if found == f"mygrpcadapter_{name}_bucket"]
        assert bounds == sorted(bounds)


def test_refusals_by_cause(stage):
    """Each refused call is counted once by its status and once by its cause."""
    adapter = stage.start({**ADDRESS, "workers.max_text_bytes": 65536, "output.max_files": 1})
    admin, client = Admin(adapter), stage.client(adapter)
    client.send(Metric("a.txt", "fine"))
    refused = {
        "malformed": b"\x0a\x7f",
        "file_path": Metric("../a.txt", "x").wire(),
        "too_large": Metric("a.txt", "x", 1000).wire(),
        "max_files": Metric("b.txt", "x").wire(),
    }
    for request in refused.values():
        assert not client.call(request).ok
    assert client.call(b"", method="/metric.Nobody/Call").status == "UNIMPLEMENTED"
    seen = admin.metrics()
    for cause in refused:
        assert seen.total("calls_refused_total", cause=cause) == 1, cause
    assert seen.total("calls_refused_total") == len(refused)
    assert seen.total("calls_total", code="INVALID_ARGUMENT") == 2
    assert seen.total("calls_total", code="RESOURCE_EXHAUSTED") == 2
    assert seen.total("calls_total", code="UNIMPLEMENTED") == seen.total("unknown_method_calls_total") == 1
    assert seen.total("instances_total") == 1


def test_a_collector_that_stands_still(stage):
    """What waits to be merged shows by its bytes; the refusals that come of it show by their cause; both pass."""
    settings = {**ADDRESS, "workers.count": 1, "segments.size_bytes": 256 << 10, "segments.limit_bytes": MIB,
                "workers.stall_timeout_ms": 60000}
    adapter = stage.start(settings)
    admin, client = Admin(adapter), stage.client(adapter)
    assert admin.get("/readyz")[0] == 200
    stop(adapter.collector())
    accepted = 0
    while client.call(Metric("a.txt", "n", 200).wire()).ok:
        accepted += 1
    assert admin.metrics().total("calls_refused_total", cause="segments_limit") == 1
    until(lambda: admin.metrics().all("worker_refusing") == [1], "the worker to say that it refuses")
    assert admin.get("/readyz")[0] == 503 and admin.get("/healthz")[0] == 200
    assert admin.metrics().total("ready") == 0
    resume(adapter.collector())
    seen = wait_delivered(admin, accepted)
    assert seen.total("merge_lag_seconds_bucket", le="0.05") < accepted
    until(lambda: admin.get("/readyz")[0] == 200, "it to be ready again")


def test_an_output_that_refuses(stage, adapter, admin):
    """It is counted, and the age of its oldest record grows until it has it."""
    client = stage.client(adapter)
    client.send(Metric("bad/a.txt", "b-0"))
    adapter.wait_output("bad/a.txt", Metric("bad/a.txt", "b-0").text())
    (adapter.root / "bad" / "a.txt").unlink()
    (adapter.root / "bad" / "a.txt").mkdir()
    client.send(Metric("bad/a.txt", "b-1"))

    def refusing():
        seen = admin.metrics()
        return seen if seen.total("outputs_refusing") == 1 and seen.total("merge_oldest_record_seconds") > 0.3 else None
    seen = until(refusing, "the output to refuse")
    assert seen.total("segment_unmerged_bytes") > 0
    (adapter.root / "bad" / "a.txt").rmdir()
    adapter.wait_output("bad/a.txt", Metric("bad/a.txt", "b-1").text())
    seen = wait_delivered(admin, 2)
    assert seen.total("outputs_refusing") == seen.total("merge_oldest_record_seconds") == 0


def test_full_volume(stage):
    """The cause of a refusal on a full volume is named, and the room there is shows."""
    with SmallVolume(stage.home / "small", 8 * MIB) as volume:
        adapter = stage.adapter({**ADDRESS, "workers.count": 1, "segments.size_bytes": 256 << 10, "output.max_files": 8},
                                root=volume.root, wrapper=volume.wrapper)
        adapter.seen_root = volume.seen
        adapter.start()
        admin, client = Admin(adapter), stage.client(adapter)
        volume.fill(leave_bytes=100 << 10)
        assert admin.metrics().total("volume_free_bytes", volume="segments") < 200 << 10
        while client.call(Metric("a.txt", "n", 200).wire()).ok:
            pass
        assert admin.metrics().total("calls_refused_total", cause="volume_full") == 1
        volume.relieve()


@pytest.mark.parametrize("victim", ["worker", "collector", "admin"])
def test_a_death_is_counted_and_no_count_goes_back(stage, adapter, admin, victim):
    """Its successor counts on; restarts show role and cause."""
    client = stage.client(adapter)
    for number in range(10):
        client.send(Metric("a.txt", f"m-{number}"))
    wait_delivered(admin, 10)
    pid = {"worker": lambda: adapter.workers()[0], "collector": adapter.collector,
           "admin": lambda: admin_pid(adapter)}[victim]()
    before = len(adapter.log.find(f"{victim} ready"))
    send(pid)
    adapter.wait_log(f"{victim} ready", before + 1)
    stage.client(adapter).send(Metric("a.txt", "m-10"))
    seen = wait_delivered(admin, 11)
    assert seen.total("process_restarts_total", role=victim, cause="signal") == seen.total("process_restarts_total") == 1
    assert seen.total("calls_total", code="OK") == 11 and seen.total("calls_in_flight") == 0
    until(lambda: min(admin.metrics().all("process_healthy")) == 1, "all to be healthy")
    assert len(seen.all("process_healthy")) == 4


def test_a_stalled_process_is_counted_so(stage):
    """The cause is ours, whatever signal it died of."""
    adapter = stage.start({**ADDRESS, "workers.stall_timeout_ms": 1000})
    admin = Admin(adapter)
    stop(adapter.workers()[0])
    adapter.wait_log("worker ended")
    assert admin.metrics().total("process_restarts_total", role="worker", cause="stalled") == 1


def test_admin_may_stall(stage):
    """Nobody else notices while it stands still; it is replaced."""
    adapter = stage.start({**ADDRESS, "workers.stall_timeout_ms": 1000})
    admin, client = Admin(adapter), stage.client(adapter)
    stop(admin_pid(adapter))
    for number in range(10):
        client.send(Metric("a.txt", f"m-{number}"))
    adapter.wait_log("admin ended")
    assert wait_delivered(admin, 10).total("process_restarts_total", role="admin", cause="stalled") == 1


def test_clients_that_do_not_finish(stage, adapter, admin):
    """They hold up nobody but each other, and no drain."""
    idle = []
    for _ in range(40):
        one = socket.create_connection(("127.0.0.1", admin.port))
        one.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        idle.append(one)
    stage.client(adapter).send(Metric("a.txt", "m"))
    adapter.drain()
    for one in idle:
        one.close()


def test_pages(admin):
    """Each has its status, and nothing is to be changed here."""
    assert admin.get("/healthz")[::2] == (200, "ok\n")
    assert admin.get("/readyz")[::2] == (200, "ready\n")
    assert admin.get("/")[0] == 404 and admin.get("/metricsx")[0] == 404
    assert admin.get("/metrics?x=1")[0] == 200
    assert admin.get("/metrics", "HEAD")[::2] == (200, "")
    for method in ("POST", "PUT", "DELETE"):
        status, headers, _ = admin.get("/metrics", method, b"x" * 100000)
        assert status == 405 and headers["Allow"] == "GET, HEAD"


def test_promtool_finds_nothing(stage, adapter, admin):
    """Names, units, HELP and TYPE are as Prometheus wants them."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here")
    stage.client(adapter).send(Metric("a.txt", "m"))
    done = subprocess.run([promtool, "check", "metrics"], input=wait_delivered(admin, 1).text, capture_output=True,
                          text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# ---- the address


def test_off_by_default(stage):
    """Without admin.address there is no such process."""
    adapter = stage.start()
    assert adapter.log.find("admin started") == []
    assert len(adapter.processes()) == 4


def test_socket_file(stage):
    """A path is a socket of the file system, removed at the end; one left behind by a killed master is replaced."""
    path = stage.home / "admin.socket"
    adapter = stage.start({"admin.address": path})
    admin = Admin(adapter, path)
    assert admin.get("/readyz")[0] == 200 and path.stat().st_mode & 0o777 == 0o660
    adapter.kill_all()
    assert path.exists()
    adapter.start()
    assert admin.metrics().total("ready") == 1
    adapter.drain(signal.SIGINT)
    assert not path.exists()


def test_address_in_use(stage):
    """69, and a line that says which."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        adapter = stage.adapter({"admin.address": f"127.0.0.1:{other.getsockname()[1]}"})
        adapter.spawn()
        assert adapter.wait_end() == 69
        assert "admin.address: cannot listen" in adapter.log_path().read_text()


@pytest.mark.parametrize("address", ["9100", "localhost:9100", "127.0.0.1:", "127.0.0.1:65536", "[::1:9100", "a/b",
                                     "/" + "x" * 200])
def test_address_that_is_none(address):
    """78, when the configuration is tested."""
    done = run_program("-t", "-c", "/dev/null", "-s", f"admin.address={address}")
    assert done.returncode == 78 and "admin.address" in done.stderr


@pytest.mark.parametrize("address", ["[::1]:0", "0.0.0.0:0"])
def test_other_addresses(stage, address):
    """IPv6 and the wildcard."""
    adapter = stage.start({"admin.address": address})
    port = adapter.wait_log("metrics are served")[-1].number("port")
    with socket.create_connection(("::1" if "::" in address else "127.0.0.1", port)) as one:
        one.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert one.recv(1000).startswith(b"HTTP/1.")
