"""What every system test has: a stage (lib/stage.py)."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "lib"))

from adapter import CRASH_POINTS, PROGRAM  # noqa: E402
from stage import run_stage  # noqa: E402

# These need a program that dies where it is told to; `make check-crash-points` has one.
collect_ignore = [] if CRASH_POINTS else ["volume/test_crash_points.py"]


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


@pytest.fixture
def stage(request):
    """A stage for one test."""
    yield from run_stage(request.node)


@pytest.fixture(scope="module")
def shared_stage(request):
    """A stage for all tests of a module."""
    yield from run_stage(request.node)
