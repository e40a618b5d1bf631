"""What people do to an adapter and its volume while it runs: a table of deeds, each of which is undone by itself a moment
later, while others are done."""

import contextlib
import fcntl
import itertools
import os
import signal
import sys
import threading

from processes import send
from stage import NOBODY
from waiting import until

FS_IOC_GETFLAGS = 0x80086601  # linux/fs.h
FS_IOC_SETFLAGS = 0x40086602
FS_IMMUTABLE_FL = 0x10

MOMENTS = (0.05, 0.3, 1.0, 4.0)  # seconds; within the last the collector concludes that a segment without a name is gone
ROOM = (0, 8 << 10, 100 << 10, 600 << 10)  # bytes left on a volume that is filled: for nothing, a ledger, records, a segment
OWNER = 0o600  # what its owner needs to read and write a file, or to change a directory
ALIAS = "alias.txt"  # the output that is made another name of a file, and is one of its own at other times


def set_immutable(file, immutable):
    """chattr +i or -i of an open file."""
    flags = int.from_bytes(fcntl.ioctl(file, FS_IOC_GETFLAGS, bytes(8)), sys.byteorder)
    flags = flags | FS_IMMUTABLE_FL if immutable else flags & ~FS_IMMUTABLE_FL
    fcntl.ioctl(file, FS_IOC_SETFLAGS, flags.to_bytes(8, sys.byteorder))


def change_mode(file, taken, given):
    """chmod of an open file: these bits are taken, those given."""
    os.fchmod(file, os.fstat(file).st_mode & 0o777 & ~taken | given)


class Hands:
    """People at one adapter, whose outputs have these names. On a `volume` of its own, which takes root, they can do more.

    A deed returns what undoes it, or None if nothing is to be undone. One that cannot be done now, because a file is gone or
    another deed is in its way, raises OSError and is not counted. What is undone is not what was before but what is right, so
    that deeds may overlap.
    """

    def __init__(self, adapter, random, names, volume=None):
        self.adapter = adapter
        self.random = random
        self.names = names
        self.volume = volume
        self.numbers = itertools.count()
        self.undoings = []
        self.undone = []
        self.deeds = {"rename": self.rename, "link": self.link, "chmod": self.chmod, "stop": self.stop,
                      "reload": self.reload, "upgrade": self.upgrade, "durability": self.change_durability}
        if volume is not None:
            self.deeds |= {"chown": self.chown, "immutable": self.make_immutable, "fill": self.fill}
        self.counts = dict.fromkeys(self.deeds, 0)

    def do_something(self):
        """One deed, which will be undone."""
        name = self.random.choice(list(self.deeds))
        moment = self.random.choice(MOMENTS) * self.random.random()
        with contextlib.suppress(OSError):
            undo = self.deeds[name]()
            self.counts[name] += 1
            if undo is not None:
                self.undoings.append(threading.Timer(moment, self.undo, [undo]))
                self.undoings[-1].start()

    def undo(self, undo):
        """Tries until no other deed is in its way; what is gone needs no undoing."""
        def tried():
            try:
                undo()
            except FileNotFoundError:
                pass
            except OSError:
                return False
            return True
        until(tried, "a deed to be undone")
        self.undone.append(undo)

    def wait_undone(self):
        """Returns when everything is as it should be."""
        for timer in self.undoings:
            timer.join()
        assert len(self.undone) == len(self.undoings), "a deed cannot be undone"

    # ---- names

    def move(self, name):
        """A name in the volume is changed to one beside it that nobody has."""
        path = self.adapter.seen_root / name
        path.rename(path.with_name(f"{path.name}.moved-{next(self.numbers)}"))

    def rename(self):
        """An output is renamed, as logrotate does it."""
        self.move(self.random.choice(self.names))

    def link(self):
        """The alias leads to another output, or is a second name of its file. It is moved away at the end, and not removed:
        by then it may be the name of something else."""
        path = self.adapter.seen_root / ALIAS
        target = self.random.choice([name for name in self.names if "/" not in name and name != ALIAS])
        with contextlib.suppress(FileNotFoundError):
            self.move(ALIAS)
        if self.random.random() < 0.5:
            path.symlink_to(target)
        else:
            path.hardlink_to(path.with_name(target))
        return lambda: self.move(ALIAS)

    # ---- permissions

    def hold(self, begin, end):
        """Does `begin` to an output, its directory or a segment, and has `end` undo it, whatever its name is by then."""
        segments = [self.adapter.segments / name for name in self.adapter.segment_files()]
        outputs = [self.adapter.seen_root / name for name in self.names]
        directories = [path.parent for path in outputs if path.parent != self.adapter.seen_root]
        paths = self.random.choice([paths for paths in (segments, outputs, directories) if paths])
        file = os.open(self.random.choice(paths), os.O_RDONLY)
        try:
            begin(file)
        except OSError:
            os.close(file)
            raise

        def undo():
            end(file)
            os.close(file)
        return undo

    def chmod(self):
        """Nobody but root can open a file, or make one in a directory."""
        return self.hold(lambda file: change_mode(file, OWNER, 0), lambda file: change_mode(file, 0, OWNER))

    def chown(self):
        """A file is another user's."""
        return self.hold(lambda file: os.fchown(file, 0, 0), lambda file: os.fchown(file, NOBODY, NOBODY))

    def make_immutable(self):
        """Nobody can write to a file, rename it or remove it."""
        return self.hold(lambda file: set_immutable(file, True), lambda file: set_immutable(file, False))

    def fill(self):
        """The volume has no room."""
        self.volume.fill(self.random.choice(ROOM))
        return self.volume.relieve

    # ---- processes

    def stop(self):
        """A process stands still."""
        pid = self.random.choice(self.adapter.processes())
        send(pid, signal.SIGSTOP)
        return lambda: send(pid, signal.SIGCONT)

    def reload(self):
        """HUP; the master may be at another change still."""
        self.adapter.tell(signal.SIGHUP)

    def upgrade(self):
        """USR2, to the same program."""
        self.adapter.tell(signal.SIGUSR2)

    def change_durability(self):
        """The other durability, with a reload or with whatever start comes next."""
        configuration = self.adapter.configuration
        fresh = configuration.with_suffix(".fresh")
        other = "process" if "machine" in configuration.read_text() else "machine"
        fresh.write_text(durability_setting(other))
        fresh.rename(configuration)
        if self.random.random() < 0.7:
            self.reload()


def durability_setting(durability):
    """What stands in the configuration file."""
    return f'segments: {{ durability = "{durability}"; }};\n'
