"""A small volume that is a disk: an ext4 in a file beside it. Unlike a tmpfs it writes later, gives the inode number of a
removed file to another one, and refuses a store to a mapped file that cannot be changed."""

import os
import subprocess

from tmpfs import BALLAST, SmallVolume

BLOCK = 4096


class DiskVolume(SmallVolume):
    """The same as a SmallVolume otherwise. Its file takes the room that is used, and is kept when a test fails."""

    def mount_command(self):
        """Makes the file system first."""
        image = self.root.with_suffix(".ext4")
        with open(image, "wb") as file:
            file.truncate(self.size_bytes)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
        return ["mount", "-o", "loop", str(image), str(self.root)]

    def fill(self, leave_bytes=0):
        """Takes the room that is left, but for so much; others may take some of it meanwhile."""
        size = self.free_bytes() - leave_bytes
        with open(self.seen / BALLAST, "ab") as file:
            while size >= BLOCK:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)
                    size = self.free_bytes() - leave_bytes
                except OSError:
                    size //= 2
