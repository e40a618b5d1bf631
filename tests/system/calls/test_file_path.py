"""file_path: what it may name, and that a call with any other leaves nothing behind while the server goes on."""

import os
import socket
import stat

import pytest

from metrics import PARAMS_TYPE, Metric, config_field
from processes import resume, stop
from trees import snapshot

REFUSED = "INVALID_ARGUMENT"
EXHAUSTED = "RESOURCE_EXHAUSTED"


@pytest.fixture(scope="module", name="server")
def start_server(shared_stage):
    """One adapter whose volume holds something of every kind, and a directory `outside` beside it."""
    adapter = shared_stage.adapter()
    adapter.root.mkdir()
    (adapter.home / "outside").mkdir()
    (adapter.home / "outside" / "secret.txt").write_text("untouched\n")
    (adapter.home / "volume-not").mkdir()
    furnish(adapter.root)
    adapter.start()
    adapter.client = shared_stage.client(adapter)
    adapter.served = 0
    return adapter


def furnish(root):
    """Files, links, a FIFO, a socket and devices."""
    (root / "directory").mkdir()
    (root / "file").write_text("a file\n")
    links = {
        "link-to-file-outside": "../outside/secret.txt", "link-to-directory-outside": "../outside",
        "link-absolute-outside": str(root.parent / "outside" / "secret.txt"),
        "link-dangling": "nowhere", "link-dangling-outside": "../outside/new.txt", "link-loop": "link-loop",
        "link-loop-a": "link-loop-b", "link-loop-b": "link-loop-a", "link-to-root": ".", "link-to-device": "/dev/null",
        "link-to-segments": ".mygrpcadapter", "link-to-directory": "directory", "link-magic": "/proc/self/root/etc",
    }
    for name, target in links.items():
        os.symlink(target, root / name)
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(root / "socket"))
    if os.geteuid() == 0:
        os.mknod(root / "device", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(root / "disk", 0o600 | stat.S_IFBLK, os.makedev(7, 250))


def check_serves(server):
    """A good call right after is taken and stands in its file."""
    server.served += 1
    expected = b"".join(Metric("good.txt", f"good-{number}").text() for number in range(server.served))
    server.client.send(Metric("good.txt", f"good-{server.served - 1}"))
    server.wait_output("good.txt", expected)


def check_refused(server, wire, status, words):
    """The call is refused with that status and words, leaves nothing new on the volume or beside it, and the next is
    served."""
    check_serves(server)
    before = snapshot(server.home), server.quarantined()
    answer = server.client.call(wire)
    assert answer.status == status and words in answer.details, answer
    check_serves(server)
    after = snapshot(server.home), server.quarantined()
    for tree in (before[0], after[0]):
        for name in ("log.1", "volume/good.txt"):
            tree.pop(name, None)
    assert after == before


BAD_PATHS = {
    "dot-dot": ("../out.txt", '".."'),
    "dot-dot-inside": ("directory/../a.txt", '".."'),
    "dot-dot-absolute": ("{root}/../outside/secret.txt", '".."'),
    "dot-dot-alone": ("..", '".."'),
    "absolute-outside": ("/etc/passwd", "output.root"),
    "absolute-beside": ("{root}-not/a.txt", "output.root"),
    "slash": ("/", "slash"),
    "root": ("{root}", "output.root"),
    "root-slash": ("{root}/", "slash"),
    "dot": (".", "output.root itself"),
    "root-dot": ("{root}/./.", "output.root itself"),
    "trailing-slash": ("new/", "slash"),
    "trailing-slash-file": ("file/", "slash"),
    "beneath-a-file": ("file/a.txt", "directory"),
    "directory": ("directory", "directory"),
    "link-to-file-outside": ("link-to-file-outside", "out of output.root"),
    "link-to-directory-outside": ("link-to-directory-outside/a.txt", "out of output.root"),
    "link-to-directory-itself": ("link-to-directory-outside", "out of output.root"),
    "link-to-new-directories": ("link-to-directory-outside/x/y/z.txt", "out of output.root"),
    "link-absolute-outside": ("link-absolute-outside", "out of output.root"),
    "link-dangling": ("link-dangling", "symbolic link"),
    "link-dangling-directory": ("link-dangling/a.txt", ""),
    "link-dangling-outside": ("link-dangling-outside", ""),
    "link-loop": ("link-loop", "loop"),
    "link-loop-of-two": ("link-loop-a/a.txt", "loop"),
    "link-to-root": ("link-to-root", "directory"),
    "link-to-directory": ("link-to-directory", "directory"),
    "link-to-device": ("link-to-device", "out of output.root"),
    "link-magic": ("link-magic/passwd", "output.root"),
    "fifo": ("fifo", "FIFO"),
    "socket": ("socket", "socket"),
    "component-too-long": ("c" * 256, "255"),
    "component-too-long-below": ("directory/" + "c" * 256 + "/a.txt", "255"),
    "path-too-long": ("/".join(["d" * 100] * 50), "4095"),
    "too-deep": ("/".join(["d"] * 65), "64"),
    "newline": ("a\nb.txt", "control character"),
    "newline-at-the-end": ("a.txt\n", "control character"),
    "nul": ("a\0b.txt", "control character"),
    "nul-first": ("\0", "control character"),
    "escape": ("a\x1b[2J.txt", "control character"),
    "delete": ("a\x7f.txt", "control character"),
    "segments": (".mygrpcadapter", "directory"),
    "in-segments": (".mygrpcadapter/a.txt", "segment directory"),
    "beneath-segments": (".mygrpcadapter/quarantine/a.txt", "segment directory"),
    "lock": (".mygrpcadapter/lock", "segment directory"),
    "link-to-segments": ("link-to-segments/lock", "segment directory"),
}


@pytest.mark.parametrize("case", BAD_PATHS)
def test_refused_path(server, case):
    """A path that names no file the adapter may write is refused, with a message that says why."""
    path, words = BAD_PATHS[case]
    path = path.replace("{root}", str(server.root))
    check_refused(server, Metric(path).wire(), REFUSED, words)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make devices")
@pytest.mark.parametrize("name", ["device", "disk"])
def test_refused_device(server, name):
    """A device on the volume is no output."""
    check_refused(server, Metric(name).wire(), REFUSED, "device")


def test_refused_path_that_is_no_utf8(server):
    """Any bytes but control characters are a name, also those that are no UTF-8."""
    metric = Metric(b"caf\xe9.txt", "latin")
    server.client.send(metric)
    server.wait_output(os.fsdecode(b"caf\xe9.txt"), metric.text())


GOOD_PATHS = {
    "relative": ("plain.txt", "plain.txt"),
    "absolute": ("{root}/absolute.txt", "absolute.txt"),
    "new-directories": ("new/deep/er/a.txt", "new/deep/er/a.txt"),
    "absolute-new-directories": ("{root}/other/deep/a.txt", "other/deep/a.txt"),
    "link-to-directory-inside": ("link-to-directory/inside.txt", "directory/inside.txt"),
    "dots-in-names": ("..a/b..c/...", "..a/b..c/..."),
    "spaces-and-quotes": (' "a" \\ b ', ' "a" \\ b '),
    "not-ascii": ("größe/日本.txt", "größe/日本.txt"),
    "longest-component": ("l" * 255, "l" * 255),
    "deepest": ("/".join(["e"] * 64), "/".join(["e"] * 64)),
    "hidden": (".hidden", ".hidden"),
    "like-segments": (".mygrpcadapter-not/a.txt", ".mygrpcadapter-not/a.txt"),
}


@pytest.mark.parametrize("case", GOOD_PATHS)
def test_accepted_path(server, case):
    """A path that names a file beneath the root, or one that can be made there, is that file."""
    path, name = GOOD_PATHS[case]
    path = path.replace("{root}", str(server.root))
    metrics = [Metric(path, f"{case}-{number}") for number in range(2)]
    for metric in metrics:
        server.client.send(metric)
    server.wait_output(name, b"".join(metric.text() for metric in metrics))


def test_mode_of_new_files(server):
    """New files have output.mode (0640), new directories search permission as well, whatever the umask is."""
    server.client.send(Metric("mode/a.txt", "m"))
    server.wait_output("mode/a.txt", Metric("mode/a.txt", "m").text())
    assert stat.S_IMODE(os.stat(server.root / "mode/a.txt").st_mode) == 0o640
    assert stat.S_IMODE(os.stat(server.root / "mode").st_mode) == 0o750


def test_existing_file_grows(server):
    """A file that is there is appended to."""
    metric = Metric("file", "appended")
    server.client.send(metric)
    server.wait_output("file", b"a file\n" + metric.text())


@pytest.mark.parametrize("file, below", [("x", "x/a.txt"), ("y/z", "y/z/a/b.txt")])
@pytest.mark.parametrize("file_first", [True, False], ids=["file-first", "directory-first"])
def test_refused_file_and_directory_of_one_name(stage, file, below, file_first):
    """A path can be an output or lead to one, not both: the second is refused even if nobody has made the first yet."""
    adapter = stage.start()
    client = stage.client(adapter)
    stop(adapter.collector())
    first, second = (file, below) if file_first else (below, file)
    metric = client.send(Metric(first, "first"))
    answer = client.call(Metric(second, "second").wire())
    resume(adapter.collector())
    assert answer.status == REFUSED, answer
    adapter.wait_output(first, metric.text())


# ---- requests that are refused for something else


def test_refused_other_config_type(server):
    """adapter_config of another type: the message names it."""
    wire = b"" + config_field("a.txt", "type.googleapis.com/other.Params")
    check_refused(server, wire, REFUSED, "other.Params")


def test_refused_broken_params(server):
    """adapter_config of our type that holds no Params."""
    url = PARAMS_TYPE.encode()
    config = b"\x0a" + bytes([len(url)]) + url + b"\x12\x02\x0a\x7f"
    check_refused(server, b"\x12" + bytes([len(config)]) + config, REFUSED, "adapter_config.value")


@pytest.mark.parametrize("wire", [b"\xff" * 64, b"\x0a\x7f", b"\x00", b"\x0b", b"\x12\x01"],
                         ids=["ones", "cut", "zero", "group", "cut-config"])
def test_refused_garbage(server, wire):
    """Bytes that are no request."""
    check_refused(server, wire, REFUSED, "byte")


def test_refused_over_large_message(server):
    """A request beyond workers.max_message_bytes (4 MiB): RESOURCE_EXHAUSTED."""
    check_refused(server, Metric("large.txt", "l", padding=5 << 20).wire(), EXHAUSTED, "")


def test_unknown_method(server):
    """A method that is not there: UNIMPLEMENTED, and the server goes on."""
    for method in ("/metric.HandleMetricService/Nothing", "/other.Service/HandleMetric", "/x"):
        answer = server.client.call(Metric("a.txt").wire(), method=method)
        assert answer.status == "UNIMPLEMENTED" and answer.details, answer
    check_serves(server)


def test_refused_text_too_long(stage):
    """A call whose text is beyond workers.max_text_bytes: RESOURCE_EXHAUSTED, and the message names the setting."""
    adapter = stage.start({"workers.max_text_bytes": 4096})
    client = stage.client(adapter)
    answer = client.call(Metric("long.txt", padding=5000).wire())
    assert answer.status == EXHAUSTED and "workers.max_text_bytes" in answer.details
    adapter.drain()
    assert snapshot(adapter.root) == {}


def test_refused_one_file_too_many(stage):
    """A path beyond output.max_files different ones is refused; those that were taken go on."""
    adapter = stage.start({"output.max_files": 3})
    clients = [stage.client(adapter) for _ in range(4)]  # on both workers: the count is common to them
    names = ["a.txt", "b.txt", "c.txt"]
    for client, name in zip(clients, names):
        client.send(Metric(name, "first"))
    for client in clients:
        answer = client.call(Metric("d.txt").wire())
        assert answer.status == EXHAUSTED and "output.max_files" in answer.details
        assert client.call(Metric("./a.txt").wire()).ok, "another spelling is no other file"
    adapter.drain()
    assert sorted(snapshot(adapter.root)) == names
