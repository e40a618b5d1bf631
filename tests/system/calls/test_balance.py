"""Connections spread over the workers by number, never by chance, and past those that cannot serve."""

import socket
import time

import pytest

from metrics import Metric
from processes import HeldThread, resume, stop
from waiting import until

ROUNDS = 10
DEBUG = {"log.level": "debug"}


def open_connections(adapter):
    """How many connections each worker, by slot, has accepted and not seen end."""
    counts = {}
    for line in adapter.log.lines():
        if line.event == "connection accepted":
            counts[line.slot] = counts.get(line.slot, 0) + 1
        elif line.event == "connection ended":
            counts[line.slot] -= 1
    return counts


def wait_connections(adapter, expected):
    """Waits until every worker has as many connections as `expected` says, by slot."""
    def spread():
        return {slot: count for slot, count in open_connections(adapter).items() if count} == expected
    until(spread, lambda: f"{expected}, now {open_connections(adapter)}")


def dial(adapter, count, pause=0.0):
    """Opens connections one after the other; with a pause, each is accepted before the next."""
    sockets = []
    for _ in range(count):
        sockets.append(socket.create_connection(("127.0.0.1", adapter.port)))
        time.sleep(pause)
    return sockets


def hang_up(sockets):
    """Closes them."""
    for one in sockets:
        one.close()


@pytest.mark.parametrize("pause", [0.0, 0.02], ids=["burst", "slowly"])
def test_eight_connections_on_four_workers(stage, pause):
    """Two on each, whether they come at once or one by one, and again after all were closed."""
    adapter = stage.start({"workers.count": 4, **DEBUG})
    for _ in range(ROUNDS):
        sockets = dial(adapter, 8, pause)
        wait_connections(adapter, {0: 2, 1: 2, 2: 2, 3: 2})
        hang_up(sockets)
        wait_connections(adapter, {})


def test_eight_clients_on_four_workers(stage):
    """The same with gRPC clients that all begin at once, each with a call."""
    adapter = stage.start({"workers.count": 4, **DEBUG})
    clients = [stage.client(adapter) for _ in range(8)]
    pending = [client.begin(Metric("a.txt", f"c-{number}").wire()) for number, client in enumerate(clients)]
    assert all(call.answer().ok for call in pending)
    wait_connections(adapter, {0: 2, 1: 2, 2: 2, 3: 2})


def test_closing_rebalances(stage):
    """New connections go where old ones have ended."""
    adapter = stage.start({"workers.count": 4, **DEBUG})
    by_slot = {}
    for _ in range(8):
        accepted = len(adapter.log.find("connection accepted"))
        one = dial(adapter, 1)[0]
        line = adapter.wait_log("connection accepted", accepted + 1)[-1]
        by_slot.setdefault(line.slot, []).append(one)
    for slot in (2, 0, 3):
        hang_up(by_slot[slot])
        wait_connections(adapter, {other: 2 for other in range(4) if other != slot})
        by_slot[slot] = dial(adapter, 2)
        wait_connections(adapter, {0: 2, 1: 2, 2: 2, 3: 2})
    hang_up(by_slot[1] + by_slot[0])
    wait_connections(adapter, {2: 2, 3: 2})
    more = dial(adapter, 6)
    counts = {0: 3, 1: 3, 2: 2, 3: 2}
    until(lambda: sum(open_connections(adapter).values()) == 10, "ten connections")
    assert open_connections(adapter) == counts
    hang_up(more + by_slot[2] + by_slot[3])


def test_uneven_number(stage):
    """Ten connections on four workers: two or three on each."""
    adapter = stage.start({"workers.count": 4, **DEBUG})
    sockets = dial(adapter, 10)
    until(lambda: sum(open_connections(adapter).values()) == 10, "ten connections")
    assert sorted(open_connections(adapter).values()) == [2, 2, 3, 3]
    hang_up(sockets)


def check_takes_none(stage, adapter, slot):
    """Six new clients are all served, none of them by that worker."""
    before = len(adapter.log.find("connection accepted"))
    clients = [stage.client(adapter) for _ in range(6)]
    pending = [client.begin(Metric("a.txt", f"c-{number}").wire()) for number, client in enumerate(clients)]
    answers = [call.answer() for call in pending]
    assert all(answer.ok for answer in answers), answers
    accepted = adapter.wait_log("connection accepted", before + 6)[before:]
    assert sorted({line.slot for line in accepted}) == [other for other in range(3) if other != slot]


def test_stopped_worker_takes_none(stage):
    """Connections that come right after a worker was stopped (SIGSTOP) are served by the others."""
    adapter = stage.start({"workers.count": 3, **DEBUG})
    stop(adapter.workers()[0])
    check_takes_none(stage, adapter, 0)
    resume(adapter.workers()[0])
    # It takes part again.
    before = len(adapter.log.find("connection accepted"))
    until(lambda: dial_and_see(adapter, before), "the worker that goes on to take connections")


def dial_and_see(adapter, before):
    """Opens one connection for a moment; whether slot 0 has accepted one since."""
    hang_up(dial(adapter, 1, 0.05))
    return any(line.slot == 0 for line in adapter.log.find("connection accepted")[before:])


def test_worker_with_a_stuck_loop_takes_none(stage):
    """A worker whose gRPC loop stands still, while its acceptor's thread goes on, takes none after a second."""
    adapter = stage.start({"workers.count": 3, **DEBUG})
    try:
        with HeldThread(adapter.workers()[0]):
            time.sleep(1.5)  # what it said of itself before holds for a second; nothing shows when it has passed
            check_takes_none(stage, adapter, 0)
    except PermissionError:
        pytest.skip("ptrace is forbidden here")


def test_max_connections(stage):
    """Beyond workers.max_connections on every worker, connections wait in the queue; they are served, not refused, as
    soon as there is room."""
    adapter = stage.start({"workers.max_connections": 2, **DEBUG})
    sockets = dial(adapter, 4)
    wait_connections(adapter, {0: 2, 1: 2})
    waiting = [stage.client(adapter).begin(Metric("a.txt", f"w-{number}").wire()) for number in range(2)]
    time.sleep(1.0)
    assert not any(call.done() for call in waiting)
    assert open_connections(adapter) == {0: 2, 1: 2}
    hang_up(sockets[:1])
    until(lambda: any(call.done() for call in waiting), "one of two to be served")
    time.sleep(0.5)
    assert [call.done() for call in waiting].count(True) == 1, "there was room for one"
    hang_up(sockets[1:])
    assert all(call.answer().ok for call in waiting)
