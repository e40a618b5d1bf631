"""Outputs that people move, edit, swap or make append-only after a death inside a batch, before the start that goes on with it.
No byte of theirs is changed; of the batch is written what does not stand where the collector looks for it."""

import os
import subprocess

import pytest

from adapter import SANITIZED
from death import BEFORE_DELIVERY, DELIVERED, die_in_a_batch
from metrics import Metric
from records import check_exactly_once, idents
from test_exactly_once import SHORTER, go_on, leave_batch, send_batch, text_of
from waiting import until

pytestmark = pytest.mark.skipif(SANITIZED, reason="LeakSanitizer does not work under a tracer")


@pytest.mark.parametrize("place", [BEFORE_DELIVERY, DELIVERED], ids=["before-delivery", "delivered"])
@pytest.mark.parametrize("how", ["moved", "with-its-directory"])
def test_output_moved_to_another_directory(stage, place, how):
    """Nobody looks for it there: the whole batch is written to a new file, also what stands in the one that was moved."""
    name = "deep/a.txt"
    adapter = stage.start({"workers.count": 1})
    client = stage.client(adapter)
    first = client.send(Metric(name, "first"))
    adapter.wait_output(name, first.text())
    batch = die_in_a_batch(adapter, lambda: send_batch(client, (name,)), place)
    moved = adapter.output(name)
    (adapter.root / "archive").mkdir()
    if how == "moved":
        os.rename(adapter.root / name, adapter.root / "archive/a.txt")
    else:
        os.rename(adapter.root / "deep", adapter.root / "archive/deep")
    adapter.start()
    adapter.wait_output(name, text_of(batch))
    adapter.wait_log(SHORTER)
    adapter.drain()
    assert adapter.output(name) == text_of(batch)
    assert adapter.output("archive/a.txt" if how == "moved" else "archive/deep/a.txt") == moved


def edit(adapter, how, edited):
    """Somebody saves the output: in its place, or as another file that gets its name (`sed -i`)."""
    if how == "in-place":
        (adapter.root / "a.txt").write_bytes(edited)
    else:
        (adapter.root / "sed12345").write_bytes(edited)
        os.rename(adapter.root / "sed12345", adapter.root / "a.txt")


@pytest.mark.parametrize("how", ["in-place", "renamed"])
@pytest.mark.parametrize("old, new, again", [
    (b"id:first]", b"id:other]", []),
    (b"id:first]", b"id:a longer one]", []),
    (b"id:first]", b"id:]", [0]),
    (b"id:batch-2]", b"id:other-2]", [2]),
    (b"id:batch-2]", b"id:]", [2]),
], ids=["before", "before-longer", "before-shorter", "within", "within-shorter"])
def test_output_edited(stage, how, old, new, again):
    """What stands behind the noted size is compared, whatever else somebody has changed: a record of the batch that is changed,
    or begins before that size now, is written again whole, and no other."""
    adapter, _, batch = leave_batch(stage, DELIVERED)
    edited = adapter.output("a.txt").replace(old, new)
    edit(adapter, how, edited)
    go_on(stage, adapter, edited + text_of(batch[number] for number in again))


def make_append_only(path):
    """chattr +a, or skips the test."""
    if subprocess.run(["chattr", "+a", path], capture_output=True, check=False).returncode != 0:
        pytest.skip("chattr +a needs root and a file system that has it")


@pytest.mark.parametrize("kept", [0, 0.5, 1], ids=["nothing", "half", "all"])
def test_output_made_append_only(stage, kept):
    """chattr +a after the death: what is missing of the batch is appended."""
    adapter, first, batch = leave_batch(stage, DELIVERED)
    path, text = adapter.root / "a.txt", text_of(batch)
    os.truncate(path, len(first.text()) + int(len(text) * kept))
    make_append_only(path)
    try:
        go_on(stage, adapter, first.text() + text)
    finally:
        subprocess.run(["chattr", "-a", path], check=True)


def test_output_made_append_only_with_zeros(stage):
    """Zeros that a loss of power left cannot be written over then: the batch waits until they can."""
    adapter, first, batch = leave_batch(stage, DELIVERED)
    path, stood = adapter.root / "a.txt", adapter.output("a.txt")
    with open(path, "r+b") as file:
        file.seek(len(first.text()) + 100)
        file.write(bytes(400))
    zeroed = path.read_bytes()
    make_append_only(path)
    try:
        adapter.start()
        adapter.wait_log("cannot write an output; its records are kept and tried again", output="a.txt")
        assert adapter.output("a.txt") == zeroed
    finally:
        subprocess.run(["chattr", "-a", path], check=True)
    until(lambda: adapter.output("a.txt") == stood, adapter.complaint)
    adapter.kill_all()
    go_on(stage, adapter, text_of([first, *batch]))


def leave_two_batches(stage, names, place, settings=None):
    """An adapter that was killed inside batches of two outputs, whose names have then been swapped; and all metrics."""
    adapter = stage.start({"workers.count": 1, **(settings or {})})
    client = stage.client(adapter)
    metrics = [client.send(Metric(name, name)) for name in names]
    for metric in metrics:
        adapter.wait_output(metric.path, metric.text())
    metrics += die_in_a_batch(adapter, lambda: send_batch(client, names), place)
    for old, new in ((names[0], "c.txt"), (names[1], names[0]), ("c.txt", names[1])):
        os.rename(adapter.root / old, adapter.root / new)
    return adapter, metrics


@pytest.mark.parametrize("place", [(call, number) for call, most in (("pwrite64", 8), ("writev", 2))
                                   for number in range(1, most + 1)])
def test_outputs_swapped(stage, place):
    """a.txt and b.txt both have a batch, and each has the other's name when the next start looks: each record stands once, in
    one of the two."""
    names = ("a.txt", "b.txt")
    adapter, metrics = leave_two_batches(stage, names, place)
    adapter.start()
    metrics += [stage.client(adapter).send(Metric(name, f"more-{name}")) for name in names]
    adapter.drain()
    sent = {metric.ident: metric for metric in metrics}
    check_exactly_once([ident for name in names for ident in idents(adapter.output(name), sent)], list(sent), list(sent))


@pytest.mark.parametrize("names", [("a.txt", "b.txt"), ("b.txt", "a.txt")], ids=["a-first", "b-first"])
def test_outputs_swapped_with_a_torn_record(stage, names):
    """The same where of the one batch nothing stands, and the other stops inside a record: each stands once and whole, though
    the part may stay, with records of the other batch behind it."""
    adapter, metrics = leave_two_batches(stage, names, ("writev", 2), {"segments.durability": "machine"})
    torn = max(names, key=lambda name: len(adapter.output(name)))
    os.truncate(adapter.root / torn, len(adapter.output(torn)) - 40)
    adapter.start()
    adapter.drain()
    raw = b"".join(adapter.output(name) for name in names)
    assert [raw.count(metric.text()) for metric in metrics] == [1] * len(metrics)
