"""`mygrpcadapter send`: what it sends stands in the output, and its exit status says what was answered."""

from adapter import run_program
from metrics import head_text
from records import split


def send_to(adapter, *arguments):
    """Runs it against the adapter."""
    return run_program("send", "--address", adapter.target, *arguments)


def test_one_call(stage):
    """A call with a value and dimensions of several types is answered OK and becomes the Go adapter's text."""
    adapter = stage.start()
    result = send_to(adapter, "--file-path", "a.txt", "--name", "i1", "--value", "1235", "--dimension", "code=200",
                     "--dimension", "n=int:-5", "--dimension", "d=duration:1.5s", "--dimension", "ip=ip:10.1.2.3",
                     "--dimension", "f=double:1e6", "--dimension", "b=bool:true")
    assert result.returncode == 0 and result.stdout == "OK\n", result
    dimensions = ("b:&Value_BoolValue{BoolValue:true,} code:200 "
                  "d:&Value_DurationValue{DurationValue:&Duration{Value:1.5s,},} f:1e+06 "
                  "ip:&Value_IpAddressValue{IpAddressValue:&IPAddress{Value:[10 1 2 3],},} n:-5")
    adapter.wait_output("a.txt", head_text("a.txt") + (
        f"'i1':\n  {{\n\t\tValue = 1235\n\t\tDimensions = map[{dimensions}]\n  }}\n").encode())


def test_many_calls(stage):
    """--count calls over --connections with --in-flight are all made, each once."""
    adapter = stage.start()
    result = send_to(adapter, "--file-path", "a.txt", "--count", 1000, "--connections", 4, "--in-flight", 8, "--unique",
                     "--instances", 3)
    assert result.returncode == 0 and "OK: 1000" in result.stdout, result
    adapter.drain()
    records = split(adapter.output("a.txt"))
    assert len(records) == 1000 and len(set(records)) == 1000


def test_refused_call(stage):
    """A call that the adapter refuses: status 1, and the message is shown."""
    adapter = stage.start()
    result = send_to(adapter, "--file-path", "../a.txt")
    assert result.returncode == 1
    assert "INVALID_ARGUMENT" in result.stdout and ".." in result.stdout


def test_nobody_there(stage):
    """An address where nobody listens: status 69."""
    adapter = stage.start()
    target = adapter.target
    adapter.drain()
    result = run_program("send", "--address", target, "--timeout-ms", 2000)
    assert result.returncode == 69


def test_bad_argument():
    """Wrong arguments: status 64 and one line."""
    result = run_program("send", "--count", "none")
    assert result.returncode == 64 and len(result.stderr.splitlines()) == 1 and "--count" in result.stderr
    result = run_program("send", "--request", "/nowhere")
    assert result.returncode == 64 and result.stderr == "mygrpcadapter send: --request /nowhere: No such file or directory\n"
