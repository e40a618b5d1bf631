"""The log: every line can be parsed, in both forms, and says who wrote it."""

import json
import os
import re
import signal
import subprocess

from adapter import PROGRAM, LogFile, make_environment
from metrics import Metric
from processes import send
from waiting import until


def stir(stage, adapter):
    """Has the adapter log as much as it can: deaths, a refusal with odd bytes, a drain."""
    client = stage.client(adapter)
    client.send(Metric("a.txt", "a"))
    for path in ('../"quoted" \\ \n', "tab\there", b"caf\xe9/../\xff"):
        assert client.call(Metric(path).wire()).status == "INVALID_ARGUMENT"
    send(adapter.workers()[1])
    adapter.wait_log("worker ready", 3)
    send(adapter.collector())
    adapter.wait_log("collector ready", 2)
    adapter.drain()


def test_json(stage):
    """With log.format=json each line is one JSON object with time, level, role, pid and event."""
    adapter = stage.start({"log.format": "json", "log.level": "debug"})
    stir(stage, adapter)
    lines = adapter.log_path().read_text(encoding="utf-8").splitlines()
    assert len(lines) > 20
    for line in lines:
        event = json.loads(line)
        assert {"time", "level", "role", "pid", "event"} <= event.keys(), line
        assert event["role"] in ("master", "worker", "collector")
        assert ("slot" in event) or event["role"] != "worker"


def test_text(stage):
    """With log.format=text each line is time, level, who, event and key=value."""
    adapter = stage.start({"log.level": "debug"})
    stir(stage, adapter)
    strangers = [line.raw for line in adapter.log.lines() if not line.event]
    assert strangers == []
    assert {line.role for line in adapter.log.lines()} == {"master", "worker", "collector"}
    assert r"\\n" in adapter.log.find("a call was refused")[0].raw, "no line break of a client reaches the log"


def test_level(stage):
    """log.level=error says nothing of what goes well."""
    adapter = stage.adapter({"log.level": "error"}).start()
    stage.client(adapter).send(Metric("a.txt", "a"))
    adapter.drain()
    assert LogFile(adapter.log_path()).lines() == []


def test_obituaries(stage):
    """Every child that ends gets one line, with its slot, pid, signal or exit code, age and what comes next."""
    adapter = stage.start()
    pid = adapter.workers()[0]
    send(pid)
    adapter.wait_workers(2)
    adapter.wait_log("worker ready", 3)
    adapter.drain()
    ended = adapter.log.find("worker ended") + adapter.log.find("collector ended")
    started = adapter.log.find("worker started") + adapter.log.find("collector started")
    assert sorted(line.fields["child_pid"] for line in ended) == sorted(line.fields["child_pid"] for line in started)
    killed = adapter.log.find("worker ended", child_pid=pid)
    assert len(killed) == 1 and killed[0].fields["signal"] == "SIGKILL" and killed[0].number("age_ms") >= 0
    for line in ended:
        if line.number("child_pid") != pid:
            assert line.has(line.event, exit_code=0, draining="yes")
            assert not {"next", "core"} & line.fields.keys(), "nobody came next, and nothing crashed"


def test_journal(stage):
    """When standard error is the journal, each line of every process, and what a failed start says, has its priority."""
    adapter = stage.adapter({"log.level": "debug", "workers.count": 1})
    adapter.log_path(1).touch()
    stream = adapter.log_path(1).stat()
    adapter.environment["JOURNAL_STREAM"] = f"{stream.st_dev}:{stream.st_ino}"
    adapter.spawn()
    until(lambda: b"listening" in adapter.stdout(), adapter.complaint)
    adapter.tell(signal.SIGTERM)
    assert adapter.wait_end() == 0
    lines = adapter.log_path().read_text().splitlines()
    priorities = {"info": "<6>", "debug": "<7>"}
    assert lines and [line for line in lines if line[:3] != priorities.get(line.split()[1])] == []
    assert {re.match(r"\w+", line.split()[2]).group() for line in lines} == {"master", "worker", "collector"}

    with open(adapter.log_path(1), "w", encoding="ascii") as error:
        done = subprocess.run([PROGRAM, "--no-such-option"], stderr=error, check=False,
                              env=make_environment(extra=adapter.environment))
    assert done.returncode == os.EX_USAGE
    assert adapter.log_path(1).read_text().startswith("<3>mygrpcadapter: unknown")
