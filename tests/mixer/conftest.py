"""What every test with a real Mixer has: a stage as the system tests' (tests/system/lib/stage.py), and a Mixer that is ended."""

import fcntl
import socket
import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system/lib"))

from adapter import PROGRAM  # noqa: E402
from mixer import MIXS, Mixer  # noqa: E402
from name_server import NameServer  # noqa: E402
from stage import run_stage  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets fixtures know whether their test failed."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.has_failed = True


def pytest_report_header(config):
    """Names the programs under test."""
    del config
    return f"program: {PROGRAM}, Mixer: {MIXS}"


@pytest.fixture
def stage(request):
    """A stage for one test."""
    yield from run_stage(request.node)


@pytest.fixture(scope="session")
def name_server():
    """What resolves the Services of manifests/, the headless one to three pods."""
    with socket.socket() as any_socket:  # the loopback device, up
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 0x41))
    one = NameServer({"mygrpcadapter": ["127.0.0.1"],
                      "mygrpcadapter-replicas": ["127.0.0.2", "127.0.0.3", "127.0.0.4"]})
    yield one
    one.close()


@pytest.fixture
def mixer(stage, name_server):
    """A Mixer on manifests/ as they are, not started."""
    del name_server
    one = Mixer(stage.home / "mixer")
    try:
        yield one
    finally:
        one.stop()
