"""What the log says of things seen for the first time, once for the whole adapter: where metrics stop shows by the line
that is missing."""

from metrics import Metric
from processes import send
from waiting import until

FIRST_CALL = "first call accepted"
FIRST_RECORD = "first record written"
NEW_PATH = "a handler's file_path is seen for the first time"
NEW_STDOUT = "a handler without a file_path is seen for the first time: its output is standard output"


def test_each_once(stage):
    """Many calls of many connections to many workers, over deaths of processes: one line each."""
    adapter = stage.start({"workers.count": 3})
    assert adapter.log.find(FIRST_CALL) == adapter.log.find(NEW_PATH) == adapter.log.find(FIRST_RECORD) == []
    for round_ in range(2):
        clients = [stage.client(adapter) for _ in range(6)]
        for number, client in enumerate(clients):
            for path in ("a.txt", "b/c.txt", "./a.txt", ""):
                client.send(Metric(path, f"m-{round_}-{number}", 2))
        adapter.wait_log(FIRST_RECORD)
        if round_ == 0:
            send(adapter.workers()[0])
            send(adapter.collector())
            adapter.wait_log("collector ready", 2)
            adapter.wait_log("worker ready", 4)
    assert len(adapter.log.find(FIRST_CALL)) == len(adapter.log.find(NEW_STDOUT)) == 1
    assert adapter.log.find(FIRST_CALL)[0].number("instances") == 2
    paths = adapter.log.find(NEW_PATH)
    assert sorted(line.fields["output"] for line in paths) == ["a.txt", "b/c.txt"]
    assert sorted(line.fields["file_path"] for line in paths) == ["a.txt", "b/c.txt"]
    adapter.drain()
    assert len(adapter.log.find(FIRST_RECORD)) == 1


def test_a_refused_path_is_none(stage):
    """What is refused shows as a refusal, and no call counts as the first that was accepted."""
    adapter = stage.start()
    client = stage.client(adapter)
    assert not client.call(Metric("../a.txt").wire()).ok
    assert adapter.wait_log("a call was refused")
    assert client.call(b"", method="/logentry.HandleLogEntryService/HandleLogEntry").status == "UNIMPLEMENTED"
    line = adapter.wait_log("a call of an unknown method was refused")[0]
    assert line.fields["method"] == "/logentry.HandleLogEntryService/HandleLogEntry"
    assert adapter.log.find(FIRST_CALL) == adapter.log.find(NEW_PATH) == []
    client.send(Metric("a.txt", "m"))
    assert adapter.wait_log(FIRST_RECORD)[0].fields["output"] == "a.txt"


def test_bounded(stage):
    """output.max_files bounds the lines; unknown methods are told of now and then."""
    adapter = stage.start({"output.max_files": 3, "workers.count": 1})
    client = stage.client(adapter)
    for number in range(20):
        client.call(Metric(f"{number}.txt", "m").wire())
        client.call(b"", method=f"/a.B/C{number}")
    assert len(adapter.log.find(NEW_PATH)) == 3
    until(lambda: adapter.log.find("a call of an unknown method was refused"), "a line about it")
    assert len(adapter.log.find("a call of an unknown method was refused")) == 1
