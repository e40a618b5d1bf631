"""All that one test, or one module, starts, and how it ends: adapters that are ended for sure, clients that are closed, a home
directory that is kept when the test fails."""

import os
import shutil
import tempfile
from pathlib import Path

from adapter import Adapter
from client import Client
from pod import Pod

NOBODY = 65534


class Stage:
    """All that one test, or one module, starts."""

    def __init__(self, home):
        self.home = home
        self.adapters = []
        self.clients = []

    def adapter(self, settings=None, **options):
        """A new adapter, not started, in a directory of its own."""
        return self.add(Adapter(self.make_home(), settings, **options))

    def pod(self, manifest, **options):
        """The adapter as that manifest runs it, not started."""
        return self.add(Pod(self.make_home(), manifest, **options))

    def make_home(self):
        """A directory for the next adapter."""
        home = self.home / f"adapter.{len(self.adapters)}"
        home.mkdir()
        return home

    def add(self, adapter):
        """Takes charge of an adapter."""
        self.adapters.append(adapter)
        return adapter

    def drop_root(self, adapter):
        """Has it run as nobody where we are root, so that permissions count for it; all that is in its volume becomes
        nobody's."""
        if os.geteuid() == 0:
            adapter.wrapper = (*adapter.wrapper, "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
            adapter.seen_root.mkdir(exist_ok=True)
            for path in (adapter.seen_root, *adapter.seen_root.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
            for path in (self.home, adapter.home):
                path.chmod(0o755)
        return adapter

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
