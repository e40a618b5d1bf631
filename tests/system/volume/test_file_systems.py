"""File systems, kernels and sandboxes that lack a system call: the adapter does without, and loses and doubles nothing."""

import os
import shutil
import subprocess
import time

import pytest

from adapter import REPOSITORY, run_program
from metrics import Metric
from processes import send, stop
from records import check_exactly_once, idents
from tmpfs import SmallVolume
from waiting import until

CALLS = 60


@pytest.fixture(scope="module", name="shim")
def shim_fixture(tmp_path_factory):
    """The library that takes calls away."""
    library = tmp_path_factory.mktemp("shim") / "bare_system_shim.so"
    source = REPOSITORY / "tests" / "system" / "lib" / "bare_system_shim.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source, "-ldl"], check=True)
    return library


def serve_through_kills(adapter, client):
    """Calls to outputs of several kinds, with a worker and the collector killed between; what was acknowledged stands in
    the outputs once."""
    sent = {}
    acknowledged = []
    for number in range(CALLS):
        metric = Metric(("a.txt", "deep/er/b.txt")[number % 2], f"n-{number}", 20)
        sent[metric.ident] = metric
        if client.call(metric.wire()).ok:
            acknowledged.append(metric.ident)
        if number == 20:
            send(adapter.workers()[0])
        if number == 40:
            send(adapter.collector())
    assert len(acknowledged) > CALLS // 2
    until(lambda: client.call(Metric("a.txt", "last").wire()).ok, "a call that is taken")
    adapter.drain()
    sent["last"] = Metric("a.txt", "last")
    raw = adapter.output("a.txt") + adapter.output("deep/er/b.txt")
    found = [ident for ident in idents(raw, sent) if ident in acknowledged]
    check_exactly_once(found, acknowledged, acknowledged)
    assert adapter.quarantined() == [] and adapter.segment_files() == []


@pytest.mark.parametrize("lacks", ["openat2:ENOSYS", "openat2:EPERM", "noreplace", "fallocate",
                                   "openat2:ENOSYS noreplace fallocate"])
def test_system_that_lacks_a_call(stage, shim, lacks):
    """What the kernel or the file system does not have is done in another way, that is as safe."""
    environment = {"LD_PRELOAD": str(shim), "BARE_SYSTEM": lacks}
    adapter = stage.adapter({"segments.size_bytes": 65536, "workers.max_text_bytes": 16384}, environment=environment)
    adapter.start()
    if "openat2" in lacks:
        (line,) = adapter.wait_log("openat2 cannot be called here; paths are followed one component at a time")
        assert line.level == "warning"
    serve_through_kills(adapter, stage.client(adapter))


def test_two_adapters_without_locks_for_directories(stage, shim):
    """On a file system that has no locks for directories a second adapter with the same output.root is not noticed, which a
    warning says at the start, unless it has the same segment directory, too."""
    environment = {"LD_PRELOAD": str(shim), "BARE_SYSTEM": "directory-locks"}
    first = stage.adapter({"workers.count": 1}, environment=environment).start()
    line, = first.wait_log("the file system of output.root has no locks for directories: whether another adapter uses it is "
                           "not noticed")
    assert line.level == "warning"
    second = stage.adapter({"workers.count": 1}, root=first.root, environment=environment).spawn()
    assert second.wait_end() == 75
    second.settings["segments.directory"] = second.home / "segments"
    second.start()
    metrics = [stage.client(adapter).send(Metric(f"{number}.txt", "one")) for number, adapter in enumerate((first, second))]
    for metric in metrics:
        first.wait_output(metric.path, metric.text())


@pytest.fixture(name="fuse_root")
def fuse_root_fixture(stage):
    """A directory that is seen through FUSE: no RENAME_NOREPLACE, no fallocate."""
    if shutil.which("bindfs") is None:
        pytest.skip("bindfs is not installed")
    below, root = stage.home / "below", stage.home / "volume"
    below.mkdir()
    root.mkdir()
    mounted = subprocess.run(["bindfs", below, root], check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"FUSE cannot be mounted: {mounted.stderr.strip()}")
    yield root
    subprocess.run(["fusermount3", "-u", "-z", root], check=False)


def test_fuse(stage, fuse_root):
    """On a real FUSE."""
    adapter = stage.adapter({"segments.size_bytes": 16 << 20}, root=fuse_root)
    adapter.start()
    serve_through_kills(adapter, stage.client(adapter))


def status_of(adapter):
    """What the command `status` says of the adapter, looked for where it is configured: its exit code and text."""
    command = [*adapter.wrapper, str(adapter.program), "status", str(adapter.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    return done.returncode, done.stdout + done.stderr


def expect_away(adapter, client):
    """Within a second calls are refused as UNAVAILABLE, and all who ask are told that it does not serve."""
    time.sleep(1)
    for number in range(20):
        answer = client.call(Metric(f"away-{number}.txt", "away").wire())
        assert answer.status == "UNAVAILABLE" and "output.root" in answer.details, answer
    assert adapter.wait_log("the volume is not in its place; calls are refused until it is")
    assert run_program("health", adapter.target).returncode == 1
    code, text = status_of(adapter)
    assert code == 1 and "NOT READY" in text and "refusing" in text, text


def expect_back(adapter, client):
    """Service has resumed; all that was acknowledged is there, and nothing that was refused."""
    adapter.wait_log("the volume is in its place again", adapter.settings["workers.count"])
    until(lambda: run_program("health", adapter.target).returncode == 0, "service")
    assert client.call(Metric("a.txt", "after").wire()).ok
    adapter.drain()
    assert adapter.output("a.txt") == Metric("a.txt", "before").text() + Metric("a.txt", "after").text()
    assert adapter.quarantined() == [] and not list(adapter.seen_root.glob("away-*"))


@pytest.mark.parametrize("how", ["renamed", "replaced"])
def test_root_that_is_moved(stage, how):
    """output.root is renamed, and perhaps another directory made in its place, and it comes back."""
    adapter = stage.start()
    client = stage.client(adapter)
    client.send(Metric("a.txt", "before"))
    adapter.wait_output("a.txt", Metric("a.txt", "before").text())
    moved = adapter.root.with_name("moved")
    adapter.root.rename(moved)
    if how == "replaced":
        adapter.root.mkdir()
    expect_away(adapter, client)
    if how == "replaced":
        adapter.root.rmdir()
    moved.rename(adapter.root)
    expect_back(adapter, client)


def test_root_that_is_mounted_over(stage):
    """Another file system is mounted over output.root, and unmounted."""
    with SmallVolume(stage.home / "small", 64 << 20) as volume:
        adapter = stage.adapter({"segments.size_bytes": 1 << 20}, root=volume.root, wrapper=volume.wrapper)
        adapter.seen_root = volume.seen
        adapter.start()
        client = stage.client(adapter)
        client.send(Metric("a.txt", "before"))
        adapter.wait_output("a.txt", Metric("a.txt", "before").text())
        mount = [*volume.wrapper, "mount", "-t", "tmpfs", "tmpfs", str(volume.root)]
        subprocess.run(mount, check=True)
        expect_away(adapter, client)
        subprocess.run([*volume.wrapper, "umount", str(volume.root)], check=True)
        expect_back(adapter, client)


def test_volume_that_is_read_only(stage):
    """The volume cannot be made read-only under an adapter, which has files open there. Without one it can: a start is refused
    then, and says so; when the volume can be written, the next one goes on."""
    with SmallVolume(stage.home / "small", 64 << 20) as volume:
        def remount(how):
            command = [*volume.wrapper, "mount", "-o", f"remount,{how}", volume.root]
            return subprocess.run(command, capture_output=True, check=False)

        adapter = stage.adapter({"workers.count": 1, "segments.size_bytes": 1 << 20}, root=volume.root, wrapper=volume.wrapper)
        adapter.seen_root = volume.seen
        adapter.start()
        metrics = [stage.client(adapter).send(Metric("a.txt", "before"))]
        adapter.wait_output("a.txt", metrics[0].text())
        assert remount("ro").returncode != 0
        stop(adapter.collector())
        metrics.append(stage.client(adapter).send(Metric("a.txt", "waiting")))
        adapter.kill_all()
        assert remount("ro").returncode == 0
        adapter.spawn()
        assert adapter.wait_end() == 73 and "Read-only file system" in adapter.complaint()
        assert remount("rw").returncode == 0
        adapter.start()
        adapter.wait_output("a.txt", b"".join(metric.text() for metric in metrics))
        adapter.drain()


@pytest.fixture(name="btrfs")
def btrfs_fixture(stage):
    """A small btrfs in a file; where it is mounted."""
    image, root = stage.home / "btrfs.img", stage.home / "volume"
    if os.geteuid() != 0 or shutil.which("mkfs.btrfs") is None:
        pytest.skip("needs root, and btrfs-progs")
    root.mkdir()
    with open(image, "wb") as file:
        file.truncate(128 << 20)
    subprocess.run(["mkfs.btrfs", "-q", "--mixed", image], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, root], check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a btrfs: {mounted.stderr.strip()}")
    yield root
    subprocess.run(["umount", "-l", root], check=False)


def fill(path):
    """Takes all the room there is."""
    with open(path, "ab", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while True:
                    file.write(os.urandom(size))
                    os.fsync(file.fileno())
            except OSError:
                pass


@pytest.mark.parametrize("snapshot", [False, True], ids=["plain", "snapshot"])
def test_btrfs_that_is_full(stage, btrfs, snapshot):
    """A full btrfs, which may need room to store into blocks that are allocated: it does so after a snapshot, whatever a
    file's flags say. Calls are refused, and no worker dies of it."""
    root = btrfs / "root"
    subprocess.run(["btrfs", "subvolume", "create", root], check=True, capture_output=True)
    adapter = stage.adapter({"workers.count": 1, "segments.size_bytes": 4 << 20}, root=root)
    adapter.start()
    client = stage.client(adapter)
    sent = {}
    acknowledged = []

    def call(number):
        metric = Metric("a.txt", f"n-{number}", 100)
        sent[metric.ident] = metric
        answer = client.call(metric.wire())
        assert answer.ok or answer.status in ("RESOURCE_EXHAUSTED", "UNAVAILABLE"), answer
        acknowledged.extend([metric.ident] if answer.ok else [])
        return answer.ok

    worker = adapter.workers()[0]
    assert call(0)
    if snapshot:
        subprocess.run(["btrfs", "subvolume", "snapshot", root, btrfs / "kept"], check=True, capture_output=True)
    fill(btrfs / "ballast")
    answers = [call(number) for number in range(1, 1500)]
    assert not answers[-1]
    assert adapter.workers()[0] == worker and not adapter.log.find("worker ended")
    (btrfs / "ballast").unlink()
    subprocess.run(["sync", "-f", btrfs], check=True)
    until(lambda: call(len(sent)), "calls to be taken again")
    adapter.drain()
    check_exactly_once(idents(adapter.output("a.txt"), sent), acknowledged, acknowledged)
