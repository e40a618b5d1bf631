"""segments.durability = "machine": an answer waits for the disk, and a disk that fails gets no answer."""

import subprocess

import pytest

from adapter import REPOSITORY
from metrics import Metric
from processes import send
from scrape import Admin
from waiting import until

MACHINE = {"segments.durability": "machine", "workers.count": 1, "segments.size_bytes": 65536}


@pytest.fixture(scope="module", name="shim")
def build_shim(tmp_path_factory):
    """The library that holds up fdatasync() or has it fail."""
    library = tmp_path_factory.mktemp("shim") / "fdatasync_shim.so"
    source = REPOSITORY / "tests" / "system" / "lib" / "fdatasync_shim.c"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture(name="adapter")
def start_adapter(stage, shim):
    """An adapter whose disk waits while adapter.slow exists, fails while adapter.fail does, and takes half a second for
    each sync while adapter.delay does."""
    slow, fail, delay = stage.home / "slow", stage.home / "fail", stage.home / "delay"
    environment = {"LD_PRELOAD": str(shim), "FDATASYNC_SLOW_FILE": str(slow), "FDATASYNC_FAIL_FILE": str(fail),
                   "SYNC_DELAY_FILE": str(delay)}
    adapter = stage.adapter(dict(MACHINE), environment=environment)
    adapter.slow, adapter.fail, adapter.delay = slow, fail, delay
    adapter.start()
    return adapter


def count_in_segments(adapter, text):
    """How often a text stands in the segments."""
    return sum((adapter.segments / name).read_bytes().count(text) for name in adapter.segment_files())


def test_answers_wait_for_the_disk_together(stage, adapter):
    """No call is answered before its record is synced; then all that waited are."""
    client = stage.client(adapter)
    client.send(Metric("a.txt", "first"))
    adapter.slow.touch()
    calls = [client.begin(Metric("a.txt", f"w-{number}").wire()) for number in range(50)]
    until(lambda: count_in_segments(adapter, b"'w-") >= 50, "all 50 records in the segment")
    assert not any(call.done() for call in calls)
    adapter.slow.unlink()
    assert all(call.answer().ok for call in calls)


def test_a_disk_that_fails_gets_no_answer(stage, adapter):
    """A failed fdatasync ends the worker, and its call is not acknowledged; the next worker serves when it works again."""
    client = stage.client(adapter)
    client.send(Metric("a.txt", "before"))
    adapter.fail.touch()
    assert not client.call(Metric("a.txt", "lost").wire()).ok
    adapter.wait_log("the disk cannot be synced; this process ends", what="the open segment")
    adapter.wait_log("worker ended")
    adapter.fail.unlink()
    until(lambda: client.call(Metric("a.txt", "after").wire(), wait_for_ready=True).ok, "a call that is answered OK")


def test_rotation_loses_nothing(stage, adapter):
    """Many small segments, each synced before it is sealed: every acknowledged record is in the output, in order."""
    client = stage.client(adapter)
    metrics = [client.send(Metric("a.txt", f"r-{number}")) for number in range(1000)]
    adapter.wait_output("a.txt", b"".join(metric.text() for metric in metrics))


@pytest.mark.parametrize("kill", [False, True], ids=["in peace", "killed"])
def test_an_output_stuck_in_a_sync_holds_up_no_other(stage, shim, kill):
    """The file system of one output does not come back from a sync: the others are written all the same, and when it does,
    or the collector dies meanwhile, each record stands there once."""
    stuck = stage.home / "stuck"
    adapter = stage.adapter({**MACHINE, "admin.address": "127.0.0.1:0"},
                            environment={"LD_PRELOAD": str(shim), "SYNC_STUCK_FILE": str(stuck)}).start()
    client = stage.client(adapter)
    stuck.write_text("slow.txt")
    slow, fast = b"", b""
    for number in range(20):
        for name in ("slow.txt", "fast.txt", "other.txt"):
            metric = client.send(Metric(name, f"{name}-{number}"))
            slow += metric.text() if name == "slow.txt" else b""
            fast += metric.text() if name == "fast.txt" else b""
        adapter.wait_output("fast.txt", fast)
    assert adapter.output("slow.txt") != slow
    assert Admin(adapter).metrics().total("outputs_refusing") == 0
    if kill:
        send(adapter.collector())
    stuck.unlink()
    adapter.wait_output("slow.txt", slow)
    adapter.drain()
    assert adapter.output("slow.txt") == slow and adapter.output("fast.txt") == fast


def test_a_slow_disk_does_not_stop_the_worker(stage, shim):
    """A change of segment is several syncs; with a disk that takes half a second for each the worker's loop turns all the
    same. Calls wait for the disk, or are refused while no segment is ready; what was acknowledged is there once."""
    delay = stage.home / "delay"
    settings = {**MACHINE, "workers.stall_timeout_ms": 1500}
    adapter = stage.adapter(settings, environment={"LD_PRELOAD": str(shim), "SYNC_DELAY_FILE": str(delay)}).start()
    client = stage.client(adapter)
    client.send(Metric("a.txt", "first"))
    delay.touch()
    calls = {}
    for number in range(60):
        calls[f"n-{number}"] = client.begin(Metric("a.txt", f"n-{number}", padding=8192).wire())
        if number % 6 == 5:
            calls[f"n-{number}"].answer()
    answers = {ident: call.answer() for ident, call in calls.items()}
    delay.unlink()
    refused = [answer for answer in answers.values() if not answer.ok]
    assert all("next segment is not ready" in answer.details for answer in refused), refused
    acknowledged = [ident for ident, answer in answers.items() if answer.ok]
    assert len(acknowledged) > 6, answers  # more than the first segment has room for
    assert not adapter.log.find("worker ended")
    until(lambda: client.call(Metric("a.txt", "last").wire()).ok, "a segment to be ready")
    until(lambda: b"'last." in adapter.output("a.txt"), "the last one")
    for ident in acknowledged:
        assert adapter.output("a.txt").count(f"'{ident}.".encode()) == 1
