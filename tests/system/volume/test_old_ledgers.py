"""Ledgers that say something else than the truth, or that are gone: a byte of them has rotted, an old one was put back, one was
removed or copied. Nothing is cut off an output because of them, and nothing that was acknowledged is lost. What stands twice is
what no ledger knows to be delivered any more."""

import shutil

import pytest

from adapter import SANITIZED
from death import BEFORE_DELIVERY, DELIVERED
from ledgers import COPY_BYTES, ledgers_of, newest_record, start_settled, wait_settled
from metrics import Metric
from test_exactly_once import go_on, leave_batch, text_of


traced = pytest.mark.skipif(SANITIZED, reason="LeakSanitizer does not work under a tracer")


def flip(ledger, place, copies):
    """A bit of the newest record changes, in these copies of it."""
    raw = bytearray(ledger.read_bytes())
    block, size = newest_record(raw)
    for copy in copies:
        raw[block + copy * COPY_BYTES + place % size] ^= 0x10
    ledger.write_bytes(raw)


@pytest.mark.parametrize("copies", [(0,), (1,), (0, 1)], ids=["the-first-copy", "the-second-copy", "both-copies"])
def test_flipped_byte_in_the_newest_record(stage, copies):
    """A byte has rotted in one copy of what the ledger said last, or in both. With both the older record counts, which tells
    of a batch that was settled long ago: it is compared, and it stands."""
    adapter = stage.start({"workers.count": 1})
    metrics = []
    for place in (3, 8, 12, 16, 45, 50, 60, -30, -1):  # magic, version, size, generation, offset, length, count, position, sum
        metrics.append(stage.client(adapter).send(Metric("a.txt", f"flip{place}")))
        adapter.wait_output("a.txt", text_of(metrics))
        wait_settled(adapter)
        adapter.kill_all()
        ledger, = ledgers_of(adapter)
        flip(ledger, place, copies)
        adapter.start()
    adapter.drain()
    assert adapter.output("a.txt") == text_of(metrics)
    assert adapter.quarantined() == []


@traced
@pytest.mark.parametrize("place, times", [(BEFORE_DELIVERY, 1), (DELIVERED, 2)], ids=["before-delivery", "delivered"])
def test_flipped_byte_in_an_intent(stage, place, times):
    """Both copies of an intent have rotted: nobody knows of the batch, and what is delivered of it is written a second time."""
    adapter, first, batch = leave_batch(stage, place)
    ledger, = ledgers_of(adapter)
    flip(ledger, 16, (0, 1))
    go_on(stage, adapter, text_of([first, *batch * times]))


@traced
@pytest.mark.parametrize("place, times", [(BEFORE_DELIVERY, 1), (DELIVERED, 2)], ids=["before-delivery", "delivered"])
def test_ledger_removed(stage, place, times):
    """The ledger is removed after the death: all that is delivered of the segments that are there is written a second time."""
    adapter, first, batch = leave_batch(stage, place)
    ledger, = ledgers_of(adapter)
    ledger.unlink()
    go_on(stage, adapter, text_of([first, *batch * (times - 1), first, *batch]))


@traced
def test_old_ledger_put_back(stage):
    """A ledger that tells of a batch is put back when that batch, and others, were delivered long ago, and their segments
    removed: nothing is cut off, and nothing comes again."""
    adapter, first, batch = leave_batch(stage, DELIVERED)
    ledger, = ledgers_of(adapter)
    shutil.copy(ledger, adapter.home / "ledger")
    adapter.start()
    later = stage.client(adapter).send(Metric("a.txt", "later"))
    adapter.drain()
    expected = first.text() + text_of(batch) + later.text()
    assert adapter.output("a.txt") == expected and not ledger.exists()
    shutil.copy(adapter.home / "ledger", ledger)
    go_on(stage, adapter, expected)


def test_old_ledger_put_back_in_time(stage):
    """The same while the segments that it tells of are still there: what was delivered since is written a second time."""
    adapter, client, first = start_settled(stage)
    ledger, = ledgers_of(adapter)
    shutil.copy(ledger, adapter.home / "ledger")
    later = client.send(Metric("a.txt", "later"))
    adapter.wait_output("a.txt", text_of([first, later]))
    adapter.kill_all()
    shutil.copy(adapter.home / "ledger", ledger)
    go_on(stage, adapter, text_of([first, later, later]))


def copy_name(ledger, kind):
    """A name for a copy of a ledger: any, or one that a ledger of another output might have."""
    return f"{ledger.name}.bak" if kind == "any" else "ledger-" + kind * 32


@pytest.mark.parametrize("kind", ["any", "0", "f"])
def test_copy_of_a_ledger(stage, kind):
    """A ledger is copied to another name, and the adapter goes on and dies several times: the copy, which is older each time,
    doubles nothing. One that has a ledger's name is set aside."""
    adapter = stage.start({"workers.count": 1})
    metrics = [stage.client(adapter).send(Metric("a.txt", "first"))]
    adapter.wait_output("a.txt", text_of(metrics))
    wait_settled(adapter)
    ledger, = ledgers_of(adapter)
    shutil.copy(ledger, adapter.segments / copy_name(ledger, kind))
    for number in range(3):
        metrics.append(stage.client(adapter).send(Metric("a.txt", f"n-{number}")))
        adapter.wait_output("a.txt", text_of(metrics))
        adapter.kill_all()
        adapter.start()
    adapter.drain()
    assert adapter.output("a.txt") == text_of(metrics)
    assert (adapter.segments / copy_name(ledger, kind)).exists() == (kind == "any")
    assert [path.name for path in adapter.quarantined()] == ([] if kind == "any" else [copy_name(ledger, kind)])
