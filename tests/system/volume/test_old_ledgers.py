"""Ledgers that say something else than the truth: a byte of them has rotted, or an old one was put back. Nothing is cut off an
output because of them, nothing that was acknowledged is lost, and nothing stands twice."""

import shutil

import pytest

from adapter import SANITIZED
from death import DELIVERED
from ledgers import COPY_BYTES, ledgers_of, newest_record, wait_settled
from metrics import Metric
from test_exactly_once import go_on, leave_batch, text_of


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
        raw = bytearray(ledger.read_bytes())
        block, size = newest_record(raw)
        for copy in copies:
            raw[block + copy * COPY_BYTES + place % size] ^= 0x10
        ledger.write_bytes(raw)
        adapter.start()
    adapter.drain()
    assert adapter.output("a.txt") == text_of(metrics)
    assert adapter.quarantined() == []


@pytest.mark.skipif(SANITIZED, reason="LeakSanitizer does not work under a tracer")
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
