"""Limits that the system sets to a process, reached: what they stop waits or is refused and says so; all else goes on."""

import subprocess

from metrics import Metric
from waiting import until

KIB = 1 << 10
MIB = 1 << 20


def set_limit(pid, *options):
    """Sets limits of a process that runs."""
    subprocess.run(["prlimit", "--pid", str(pid), *options], check=True)


def check_ended(adapter, count=0):
    """So many children have died."""
    ended = adapter.log.find("worker ended") + adapter.log.find("collector ended")
    assert len(ended) == count, ended


def test_an_output_at_the_limit_on_its_size(stage):
    """The output waits, as on a full volume; others are written; when the limit is raised it goes on, whole."""
    adapter = stage.start({"segments.size_bytes": 4 * MIB}, wrapper=("prlimit", f"--fsize={32 * MIB}:unlimited"))
    client = stage.client(adapter)
    large = [client.send(Metric("large.txt", f"l-{number}", padding=MIB)) for number in range(40)]
    adapter.wait_log("cannot write an output; its records are kept and tried again", output="large.txt")
    small = [client.send(Metric(f"small-{number % 6}.txt", f"s-{number}")) for number in range(60)]
    for output in range(6):
        adapter.wait_output(f"small-{output}.txt", b"".join(metric.text() for metric in small[output::6]))
    assert len(adapter.output("large.txt")) == 32 * MIB
    check_ended(adapter)
    set_limit(adapter.collector(), "--fsize=unlimited")
    adapter.wait_output("large.txt", b"".join(metric.text() for metric in large))
    check_ended(adapter)


def test_segments_over_the_limit_on_a_file(stage):
    """A worker that may not make a segment refuses, names the limit, and is not healthy; then it serves again."""
    adapter = stage.start({"workers.count": 1}, wrapper=("prlimit", f"--fsize={100 * KIB}:unlimited"))
    client = stage.client(adapter)
    answer = client.call(Metric("a.txt", "first").wire())
    assert answer.status == "RESOURCE_EXHAUSTED" and "RLIMIT_FSIZE) is 102400 bytes" in answer.details, answer
    assert not healthy(adapter)
    check_ended(adapter)
    for pid in (adapter.workers()[0], adapter.collector()):
        set_limit(pid, "--fsize=unlimited")
    until(lambda: healthy(adapter), "the worker to be healthy")
    metric = client.send(Metric("a.txt", "second"))
    adapter.wait_output("a.txt", metric.text())


def healthy(adapter):
    """What `health` says."""
    return subprocess.run([adapter.program, "health", adapter.target], check=False, capture_output=True).returncode == 0
