"""Supervision: who dies is replaced at once, and nobody else notices."""

import contextlib
import os
import signal
import statistics
import threading

from adapter import SANITIZED
from metrics import Metric
from processes import resume, send, stop
from records import check_exactly_once, idents
from traffic import Sender, stop_all
from waiting import until

DEBUG = {"log.level": "debug"}
KILLS = 7
REPLACED_MS_MAX = 1500 if SANITIZED else 100


def connect_to_slot(stage, adapter, slot):
    """A client whose connection is with that worker; others that were made on the way stay open."""
    for _ in range(3 * len(adapter.workers())):
        before = len(adapter.log.find("connection accepted"))
        client = stage.client(adapter)
        client.send(Metric("hello.txt", "hello"))
        if adapter.wait_log("connection accepted", before + 1)[-1].slot == slot:
            return client
    raise AssertionError(f"no connection with slot {slot}")


def kill_worker(adapter, slot):
    """SIGKILL for a worker; returns the lines that tell of its end and of its successor's readiness."""
    pid = adapter.workers()[slot]
    ready = len(adapter.log.find("worker ready", slot=slot))
    send(pid)
    ended = adapter.wait_log("worker ended", child_pid=pid)[-1]
    return ended, adapter.wait_log("worker ready", ready + 1, slot=slot)[-1]


# ---- workers


def test_killed_worker_is_replaced_at_once(stage):
    """After SIGKILL there is no back-off, and the successor is ready within 100 ms by the log's clock (the median of
    several deaths)."""
    adapter = stage.start({"workers.count": 3})
    times = []
    for number in range(KILLS):
        ended, ready = kill_worker(adapter, number % 3)
        assert ended.fields["signal"] == "SIGKILL"
        if number < 3:  # the first death in each slot
            assert ended.fields["next"] == "respawn now", ended.raw
        times.append(ready.time_ms - ended.time_ms)
    assert statistics.median(times) <= REPLACED_MS_MAX, times
    assert adapter.wait_workers(3)


def test_worker_that_dies_again_and_again(stage):
    """One slot's worker is killed as soon as it is ready, ten times: while others serve there is no back-off beyond the
    spacing of 50 ms."""
    adapter = stage.start({"workers.count": 2})
    for _ in range(10):
        ended, _ = kill_worker(adapter, 1)
        wait = ended.fields["next"]
        assert wait == "respawn now" or int(wait.split()[2]) <= 50, ended.raw
    assert adapter.log.find("worker ended", slot=0) == []


def test_others_never_stop_serving(stage):
    """While one worker dies again and again, every call on connections with the others is answered OK."""
    adapter = stage.start({"workers.count": 3, **DEBUG})
    senders = []
    for slot in (0, 2):
        sender = Sender(adapter, f"slot{slot}")
        sender.client.close()
        sender.client = connect_to_slot(stage, adapter, slot)
        senders.append(sender.start())
    for _ in range(6):
        kill_worker(adapter, 1)
    stop_all(senders)
    for sender in senders:
        assert sender.failures == [] and len(sender.acknowledged) > 20
    adapter.drain()
    sent = {ident: metric for sender in senders for ident, metric in sender.sent.items()}
    check_exactly_once(idents(adapter.output("out.txt"), sent), list(sent), list(sent))


def test_killed_worker_leaves_nothing_behind(stage):
    """What a worker acknowledged before its SIGKILL stands in the output once, and its segment is gone."""
    adapter = stage.start({"workers.count": 1})
    stop(adapter.collector())
    metrics = {f"k-{number}": Metric("a.txt", f"k-{number}", 3) for number in range(100)}
    client = stage.client(adapter)
    for metric in metrics.values():
        client.send(metric)
    send(adapter.workers()[0])
    resume(adapter.collector())
    adapter.wait_output("a.txt", b"".join(metric.text() for metric in metrics.values()))
    adapter.wait_workers(1)
    until(lambda: len(adapter.segment_files()) == 1, "only the successor's segment to be left")


def check_queued_calls(stage, adapter, signal_number):
    """Connections that queue while all workers stand still are served, none is reset, whatever ends the workers."""
    workers = adapter.wait_workers(2)
    for pid in workers.values():
        stop(pid)
    clients = [stage.client(adapter) for _ in range(10)]
    pending = [client.begin(Metric("q.txt", f"q-{number}").wire()) for number, client in enumerate(clients)]
    until(lambda: queued_connections(adapter.port) >= 10, "ten connections in the kernel's queue")
    for pid in workers.values():
        send(pid, signal_number)
    answers = [call.answer() for call in pending]
    assert all(answer.ok for answer in answers), answers
    adapter.drain()
    sent = {f"q-{number}": Metric("q.txt", f"q-{number}") for number in range(10)}
    check_exactly_once(idents(adapter.output("q.txt"), sent), list(sent), list(sent))


def queued_connections(port):
    """How many connections wait to be accepted: the receive queue of the listening socket, as /proc/net shows it."""
    for name in ("tcp6", "tcp"):
        with open(f"/proc/net/{name}", encoding="ascii") as table:
            for row in table:
                columns = row.split()
                if columns[1].endswith(f":{port:04X}") and columns[3] == "0A":
                    return int(columns[4].split(":")[1], 16)
    return 0


def test_queued_connections_survive_the_death_of_all_workers(stage):
    """Connections in the kernel's queue are served by the successors of killed workers."""
    check_queued_calls(stage, stage.start(), signal.SIGKILL)


def test_queued_connections_wait_for_stopped_workers(stage):
    """Connections in the kernel's queue are served when the workers go on."""
    check_queued_calls(stage, stage.start(), signal.SIGCONT)


def open_files(pid):
    """What a process's descriptors lead to, as /proc names it."""
    found = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(entry.path))
    return found


def listening_socket(port):
    """The socket that listens on a port, as /proc names it."""
    for name in ("tcp6", "tcp"):
        with open(f"/proc/net/{name}", encoding="ascii") as table:
            for row in table:
                columns = row.split()
                if columns[1].endswith(f":{port:04X}") and columns[3] == "0A":
                    return f"socket:[{columns[9]}]"
    return None


def test_each_process_holds_what_its_role_needs(stage):
    """The port is the workers', the admin socket the admin process's, and the wake-ups are theirs who wake each other; the
    master has all, and nobody else any."""
    adapter = stage.start({"admin.address": "127.0.0.1:0"})
    adapter.wait_log("collector ready")
    admin = adapter.wait_log("admin ready")[0].number("child_pid")
    workers = set(adapter.workers().values())
    held = {pid: open_files(pid) for pid in adapter.processes()}
    assert set(held) == {adapter.pid, adapter.collector(), admin} | workers

    def holders(link):
        return {pid for pid, links in held.items() if link in links}

    assert holders(listening_socket(adapter.port)) == {adapter.pid} | workers
    shared = [link for link in held[admin] if link.startswith("socket:") and link in held[adapter.pid]]
    assert len(shared) == 1 and holders(shared[0]) == {adapter.pid, admin}
    assert "anon_inode:[eventfd]" not in held[admin]
    assert held[adapter.collector()].count("anon_inode:[eventfd]") == 1


def test_stalled_worker_is_aborted_and_replaced(stage):
    """A worker without heartbeat for workers.stall_timeout_ms gets SIGABRT, then SIGKILL, and a successor; what it had
    acknowledged is in the output."""
    adapter = stage.start({"workers.stall_timeout_ms": 1000})
    metric = stage.client(adapter).send(Metric("a.txt", "before"))
    pid = adapter.workers()[0]
    stop(pid)
    adapter.wait_log("aborting a process", child_pid=pid, reason="stalled")
    ended = adapter.wait_log("worker ended", child_pid=pid, killed_because="stalled")[0]
    assert ended.fields["signal"] in ("SIGABRT", "SIGKILL")
    assert adapter.wait_workers(2)[0] != pid
    adapter.wait_output("a.txt", metric.text())
    assert len(adapter.log.find("worker ended")) == 1


# ---- the collector


def test_killed_collector_loses_and_doubles_nothing(stage):
    """The collector is killed again and again under load: each time there is another, and at the end every record is in
    its file once."""
    adapter = stage.start({"segments.size_bytes": 256 << 10})
    senders = [Sender(adapter, f"s{number}", ("a.txt", "b.txt"), (1, 20)).start() for number in range(3)]
    for number in range(8):
        adapter.wait_log("collector ready", number + 1)
        threading.Event().wait(0.02 * (number % 5))
        send(adapter.collector())
    adapter.wait_log("collector ready", 9)
    stop_all(senders)
    adapter.drain()
    sent = {ident: metric for sender in senders for ident, metric in sender.sent.items()}
    assert all(sender.failures == [] for sender in senders)
    found = idents(adapter.output("a.txt"), sent) + idents(adapter.output("b.txt"), sent)
    check_exactly_once(found, list(sent), list(sent))
    assert len(adapter.log.find("collector ended", signal="SIGKILL")) == 8


def test_serves_without_a_collector(stage):
    """While the collector stands still, calls are answered; when it goes on, they are merged."""
    adapter = stage.start()
    client = stage.client(adapter)
    stop(adapter.collector())
    metrics = [client.send(Metric("a.txt", f"n-{number}")) for number in range(50)]
    assert adapter.output("a.txt") == b""
    resume(adapter.collector())
    adapter.wait_output("a.txt", b"".join(metric.text() for metric in metrics))


# ---- the master


def test_killed_master_leaves_no_process(stage):
    """After SIGKILL of the master its children end by themselves, with connections open and calls coming, and what was
    acknowledged is merged by the next start at the latest."""
    adapter = stage.start()
    idle = stage.client(adapter)
    idle.send(Metric("idle.txt", "idle"))
    senders = [Sender(adapter, f"s{number}").start() for number in range(3)]
    until(lambda: all(len(sender.acknowledged) > 10 for sender in senders), "calls")
    adapter.master.kill()
    adapter.master.wait()
    adapter.wait_gone()
    stop_all(senders)
    adapter.start()
    adapter.drain()
    sent = {ident: metric for sender in senders for ident, metric in sender.sent.items()}
    acknowledged = [ident for sender in senders for ident in sender.acknowledged]
    check_exactly_once(idents(adapter.output("out.txt"), sent), acknowledged, list(sent))


def test_restart_at_once_after_the_master_was_killed(stage):
    """Right after SIGKILL of the master another adapter starts on the same port and volume, and clients that were
    connected go on."""
    adapter = stage.start()
    client = stage.client(adapter)
    metrics = {}
    for number in range(5):
        metric = Metric("a.txt", f"n-{number}")
        metrics[metric.ident] = metric
        client.send(metric, wait_for_ready=True)
        adapter.master.kill()
        adapter.master.wait()
        adapter.start()
        until(lambda: client.call(Metric("b.txt", "x").wire()).ok, "the client to be served again", 10)
    adapter.drain()
    check_exactly_once(idents(adapter.output("a.txt"), metrics), list(metrics), list(metrics))
    adapter.wait_gone()


def test_fewer_workers_at_the_next_start(stage):
    """Segments of workers that the next start does not have are merged all the same."""
    adapter = stage.start({"workers.count": 4})
    stop(adapter.collector())
    clients = [stage.client(adapter) for _ in range(8)]
    metrics = {f"n-{number}": Metric("a.txt", f"n-{number}") for number in range(40)}
    for number, metric in enumerate(metrics.values()):
        clients[number % 8].send(metric)
    adapter.kill_all()
    assert len(adapter.segment_files()) == 4
    adapter.settings["workers.count"] = 1
    adapter.start()
    adapter.drain()
    check_exactly_once(idents(adapter.output("a.txt"), metrics), list(metrics), list(metrics))


def test_pause_of_everything(stage):
    """When all its processes stood still for longer than the stall timeout, as in a paused container, nobody is killed
    for that."""
    adapter = stage.start({"workers.stall_timeout_ms": 1000})
    client = stage.client(adapter)
    client.send(Metric("a.txt", "a"))
    processes = adapter.processes()
    for pid in processes:
        stop(pid)
    threading.Event().wait(3.0)
    for pid in processes:
        resume(pid)
    threading.Event().wait(1.5)
    client.send(Metric("a.txt", "b"))
    assert adapter.log.find("aborting a process") == [] and adapter.log.find("worker ended") == []
    adapter.drain()
