"""Starting: what it prints, what it binds, and how a start that cannot succeed ends: one line on standard error, its
exit code, no process left."""

import os
import socket
import stat

import pytest

from adapter import run_program
from metrics import Metric

USAGE, UNAVAILABLE, CANNOT_CREATE, TEMPORARY, CONFIGURATION = 64, 69, 73, 75, 78


def has_ipv6():
    """Whether this machine can bind the loopback address of IPv6."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def check_refused(adapter, exit_code, *words, extra=()):
    """The start ends with that code and one line that holds the words; nothing is left."""
    adapter.spawn(*extra)
    assert adapter.wait_end() == exit_code, adapter.complaint()
    lines = adapter.log_path().read_text().splitlines()
    assert len(lines) == 1 and lines[0].startswith("mygrpcadapter: "), lines
    for word in words:
        assert str(word) in lines[0]
    assert adapter.stdout() == b""
    assert adapter.processes() == []


# ---- a start that succeeds


def test_listening_line_comes_once_and_first(stage):
    """Standard output begins with `listening on "[::]:PORT"`, as the Go adapter prints it, and that port serves."""
    adapter = stage.start()
    assert adapter.stdout() in (f'listening on "[::]:{adapter.port}"\n'.encode(),
                                f'listening on "0.0.0.0:{adapter.port}"\n'.encode())
    stage.client(adapter).send(Metric("a.txt", "first"))
    adapter.wait_output("a.txt", Metric("a.txt", "first").text())
    assert len(adapter.workers()) == 2
    adapter.drain()
    assert adapter.stdout().count(b"listening") == 1


def test_serves_ipv4(stage):
    """A client that comes over IPv4 is served by the dual-stack socket."""
    adapter = stage.start()
    stage.client(adapter, f"ipv4:127.0.0.1:{adapter.port}").send(Metric("4.txt", "four"))
    adapter.wait_output("4.txt", Metric("4.txt", "four").text())


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_serves_ipv6(stage):
    """A client that comes over IPv6 is served by the dual-stack socket."""
    adapter = stage.start()
    stage.client(adapter, f"ipv6:[::1]:{adapter.port}").send(Metric("6.txt", "six"))
    adapter.wait_output("6.txt", Metric("6.txt", "six").text())


def test_address_of_ipv4_only(stage):
    """listen.address binds what it names, and the line shows that."""
    adapter = stage.start({"listen.address": "127.0.0.1"})
    assert adapter.stdout() == f'listening on "127.0.0.1:{adapter.port}"\n'.encode()
    stage.client(adapter).send(Metric("a.txt", "a"))


def test_port_on_the_command_line(stage):
    """`mygrpcadapter PORT` listens on PORT, whatever listen.port says."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    adapter = stage.adapter({"listen.port": 1})
    adapter.start(port)
    assert adapter.port == port
    stage.client(adapter).send(Metric("a.txt", "a"))


def test_settings_from_a_file(stage):
    """-c reads the settings, and --set goes before the file."""
    adapter = stage.adapter()
    config = stage.home / "adapter.cfg"
    config.write_text('workers: { count = 7; };\noutput: { mode = "0600"; };\n')
    adapter.start("-c", config)
    assert len(adapter.workers()) == 2, "the --set of the helper counts"
    stage.client(adapter).send(Metric("a.txt", "a"))
    adapter.wait_output("a.txt", Metric("a.txt", "a").text())
    assert stat.S_IMODE(os.stat(adapter.root / "a.txt").st_mode) == 0o600


def test_starts_with_closed_standard_descriptors(stage):
    """Without standard input, output and error it serves, and no file is printed into."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    adapter = stage.adapter(wrapper=("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"))
    adapter.spawn(port)
    adapter.port = port
    client = stage.client(adapter)
    client.send(Metric("a.txt", "a"), wait_for_ready=True)
    adapter.wait_output("a.txt", Metric("a.txt", "a").text())
    assert adapter.stdout() == b""
    adapter.drain()


# ---- a start that cannot


def test_port_in_use(stage):
    """A port that another program listens on: 69."""
    with socket.socket(socket.AF_INET6 if has_ipv6() else socket.AF_INET) as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        check_refused(stage.adapter(), UNAVAILABLE, port, "in use", extra=[port])


def test_missing_root(stage):
    """An output.root that is not there: 73, and it is not made."""
    missing = stage.home / "missing"
    adapter = stage.adapter({"output.root": missing})
    check_refused(adapter, CANNOT_CREATE, missing, "output.root")
    assert not missing.exists()


def test_root_that_is_a_file(stage):
    """An output.root that is no directory: 73."""
    file = stage.home / "file"
    file.write_text("mine")
    check_refused(stage.adapter({"output.root": file}), CANNOT_CREATE, file, "output.root")
    assert file.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_root(stage):
    """An output.root without write permission: 73."""
    root = stage.home / "closed"
    root.mkdir(mode=0o500)
    check_refused(stage.adapter({"output.root": root}), CANNOT_CREATE, root, "output.root")


def test_unwritable_root_of_a_read_only_kind(stage):
    """An output.root on a file system that takes no files, whoever asks: 73."""
    check_refused(stage.adapter({"output.root": "/proc"}), CANNOT_CREATE, "/proc")


def test_segments_directory_without_parent(stage):
    """segments.directory is made, but not its parents: 73."""
    directory = stage.home / "a" / "b"
    adapter = stage.adapter({"segments.directory": directory})
    check_refused(adapter, CANNOT_CREATE, directory, "segments.directory")


def test_segments_directory_that_is_the_root(stage):
    """segments.directory must be a directory of its own: 78."""
    adapter = stage.adapter()
    adapter.settings["segments.directory"] = adapter.root
    check_refused(adapter, CONFIGURATION, "segments.directory")


@pytest.mark.parametrize("arguments", [["--nonsense"], ["-x"], ["-s", "listen.port"], ["8000", "9000"],
                                       ["port"], ["65536"], ["-c"]])
def test_bad_command_line(stage, arguments):
    """What is no option, no setting and no port: 64, and the line names it."""
    check_refused(stage.adapter(), USAGE, arguments[-1].lstrip("-"), extra=arguments)


@pytest.mark.parametrize("text, line, setting", [
    ("listen: { port = 8000; };\nworkers: { coutn = 2; };\n", 2, "workers.coutn"),
    ('listen: { port = "http"; };\n', 1, "listen.port"),
    ("\n\nlisten: { port = 65536; };\n", 3, "listen.port"),
    ("listen: { port = 4294975296; };\n", 1, "port"),
    ("segments: {\n  size_bytes = 1;\n};\n", 2, "segments.size_bytes"),
    ("log: { level = \"loud\"; };\n", 1, "log.level"),
    ("output: { root = ", 1, ""),
])
def test_bad_configuration(stage, text, line, setting):
    """An unknown setting, a wrong type, a value out of range, bad syntax: 78 with FILE:LINE: SETTING."""
    config = stage.home / "bad.cfg"
    config.write_text(text)
    check_refused(stage.adapter(), CONFIGURATION, f"{config}:{line}: {setting}", extra=["-c", config])


def test_bad_setting_on_the_command_line(stage):
    """--set with a value out of range: 78, and the line names the setting."""
    check_refused(stage.adapter({"workers.count": -1}), CONFIGURATION, "workers.count")


def test_missing_configuration_file(stage):
    """A file that was asked for and is not there: 78."""
    check_refused(stage.adapter(), CONFIGURATION, "/nowhere.cfg", extra=["-c", "/nowhere.cfg"])


def test_second_adapter_on_one_volume(stage):
    """A second adapter on a volume is refused with 75 and the pid of the first, which goes on serving."""
    first = stage.start()
    second = stage.adapter(root=first.root)
    check_refused(second, TEMPORARY, f"pid {first.pid}", first.segments)
    stage.client(first).send(Metric("a.txt", "a"))
    first.wait_output("a.txt", Metric("a.txt", "a").text())


def test_told_to_end_while_it_starts(stage):
    """A SIGTERM right after the start is an order to drain like any other: exit 0, nothing left."""
    adapter = stage.adapter().spawn()
    adapter.wait_log("starting")
    adapter.drain()


# ---- what it prints instead of serving


def test_version():
    """-V prints name and version."""
    result = run_program("-V")
    assert result.returncode == 0 and result.stdout.startswith("mygrpcadapter ") and result.stderr == ""


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(option):
    """-h prints the options on standard output."""
    result = run_program(option)
    assert result.returncode == 0 and result.stderr == ""
    for word in ("--config", "--set", "--test-config", "--version", "PORT", "send"):
        assert word in result.stdout


def test_test_config(stage):
    """-t prints every setting in effect, as a file that can be read again, and touches nothing."""
    root = stage.home / "root"
    first = run_program("-t", "-s", "workers.count=3", "-s", f"output.root={root}")
    assert first.returncode == 0 and first.stderr == ""
    assert f'root = "{root}";' in first.stdout and "count = 3;" in first.stdout
    again = stage.home / "again.cfg"
    again.write_text(first.stdout)
    second = run_program("-t", "-c", again)
    assert second.stdout == first.stdout
    assert not root.exists()


def test_test_config_refuses():
    """-t with a bad setting: 78, one line, nothing printed."""
    result = run_program("-t", "-s", "listen.port=70000")
    assert result.returncode == CONFIGURATION and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and "listen.port" in result.stderr
