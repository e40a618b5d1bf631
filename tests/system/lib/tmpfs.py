"""A small volume of its own: a tmpfs in a mount namespace that only a helper process holds, so that nothing is left
mounted whatever happens."""

import os
import subprocess
from pathlib import Path

import pytest

BALLAST = "ballast"


class SmallVolume:
    """A tmpfs of `size_bytes`, mounted at `root` for whoever is started through `wrapper`; a context manager.

    This process sees it at `seen`.
    """

    def __init__(self, root, size_bytes):
        self.root = Path(root)
        self.size_bytes = size_bytes
        self.holder = None

    def __enter__(self):
        if os.geteuid() != 0:
            pytest.skip("only root can mount a volume")
        self.root.mkdir(exist_ok=True)
        script = '"$@" && echo ready && exec cat'  # until our end of its standard input is closed, by whatever end of ours
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *self.mount_command()]
        self.holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.holder.stdout.readline() != b"ready\n":
            self.holder.wait()
            pytest.skip(f"cannot mount a volume: {self.holder.stderr.read().decode().strip()}")
        return self

    def mount_command(self):
        """What mounts it."""
        return ["mount", "-t", "tmpfs", "-o", f"size={self.size_bytes},mode=755", "tmpfs", str(self.root)]

    def __exit__(self, *_):
        if self.holder is not None:
            self.holder.kill()
            self.holder.communicate()

    @property
    def wrapper(self):
        """What to start a program with so that it sees the volume."""
        return ("nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--")

    @property
    def seen(self):
        """Where this process finds the volume."""
        return Path(f"/proc/{self.holder.pid}/root{self.root}")

    def free_bytes(self):
        """Room that is left."""
        status = os.statvfs(self.seen)
        return status.f_bavail * status.f_bsize

    def fill(self, leave_bytes=0):
        """Takes the room that is left, but for so much."""
        size = self.free_bytes() - leave_bytes
        with open(self.seen / BALLAST, "ab") as file:
            file.write(b"\0" * max(0, size))

    def relieve(self):
        """Gives back what fill() took."""
        (self.seen / BALLAST).unlink()
