"""Ledgers as they stand on the volume (segment/ledger_format.h): which record counts, and whether a batch is under way."""

from metrics import Metric
from waiting import until

BLOCK_BYTES = 16 << 20
COPY_BYTES = 8 << 20


def number_at(raw, at, size):
    """A number of a ledger."""
    return int.from_bytes(raw[at:at + size], "little")


def newest_record(raw):
    """Where the block of the newest record begins, and how many bytes the record has."""
    block = max((0, BLOCK_BYTES), key=lambda at: number_at(raw, at + 16, 8))
    return block, number_at(raw, block + 12, 4)


def is_settled(path):
    """Whether both copies of the newest record are written and say that no batch is under way."""
    raw = path.read_bytes()
    block, size = newest_record(raw)
    copies = [raw[at:at + size] for at in (block, block + COPY_BYTES)]
    return copies[0] == copies[1] and number_at(raw, block + 48, 8) == 0


def ledgers_of(adapter):
    """The paths of all its ledgers."""
    return sorted(path for path in adapter.segments.glob("ledger-*") if not path.name.endswith(".new"))


def wait_settled(adapter, name=""):
    """Waits until no output, or that one, has a batch under way."""
    until(lambda: all(is_settled(path) for path in ledgers_of(adapter) if name.encode() in path.read_bytes()),
          "the ledgers to be settled")


def start_settled(stage):
    """An adapter that has delivered a record to a.txt and rests; returns it, its client and the record."""
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    first = client.send(Metric("a.txt", "first"))
    adapter.wait_output("a.txt", first.text())
    wait_settled(adapter)
    return adapter, client, first
