"""What every system test has: a home directory that is kept when it fails, adapters that are ended for sure, and
clients that are closed."""

import shutil
import tempfile
from pathlib import Path

import pytest

from adapter import CRASH_POINTS, PROGRAM, Adapter
from client import Client
from pod import Pod

# These need a program that dies where it is told to; `make check-crash-points` has one.
collect_ignore = [] if CRASH_POINTS else ["test_crash_points.py"]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets fixtures know whether their test failed."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for node in item.listchain():
            node.has_failed = True


def pytest_report_header(config):
    """Names the program under test."""
    del config
    return f"program: {PROGRAM}"


class Stage:
    """All that one test, or one module, starts."""

    def __init__(self, home):
        self.home = home
        self.adapters = []
        self.clients = []

    def adapter(self, settings=None, **options):
        """A new adapter, not started, in a directory of its own."""
        home = self.home / f"adapter.{len(self.adapters)}"
        home.mkdir()
        self.adapters.append(Adapter(home, settings, **options))
        return self.adapters[-1]

    def pod(self, manifest, **options):
        """The adapter as that manifest runs it, not started."""
        home = self.home / f"adapter.{len(self.adapters)}"
        home.mkdir()
        self.adapters.append(Pod(home, manifest, **options))
        return self.adapters[-1]

    def start(self, settings=None, **options):
        """A new adapter that listens."""
        return self.adapter(settings, **options).start()

    def client(self, adapter, target=None):
        """A new connection."""
        self.clients.append(Client(target or adapter.target))
        return self.clients[-1]

    def clear(self, failed):
        """Ends everything. What still serves after a test that passed must drain as it should."""
        for client in self.clients:
            client.close()
        for adapter in self.adapters:
            if failed:
                adapter.kill_all()
            elif adapter.master is not None and not adapter.ended_by_test:
                adapter.drain()
        for adapter in self.adapters:
            assert adapter.processes() == [], "processes are left behind"
            assert adapter.alarms() == []


def run_stage(node):
    """The body of both fixtures: makes the stage, clears it, and removes or keeps its directory."""
    home = Path(tempfile.mkdtemp(prefix="mygrpcadapter-test-"))
    stage = Stage(home)
    kept = True
    try:
        yield stage
        stage.clear(failed=getattr(node, "has_failed", False))
        kept = getattr(node, "has_failed", False)
    finally:
        for adapter in stage.adapters:
            adapter.kill_all()
        if kept:
            print(f"\nkept: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def stage(request):
    """A stage for one test."""
    yield from run_stage(request.node)


@pytest.fixture(scope="module")
def shared_stage(request):
    """A stage for all tests of a module."""
    yield from run_stage(request.node)
