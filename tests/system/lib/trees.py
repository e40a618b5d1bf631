"""What stands in a directory: taken before and after, to see that nothing was left or changed."""

import hashlib
import os
import stat

PRIVATE = ".mygrpcadapter"


def describe(path):
    """Type and contents of one file."""
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFLNK:
        return kind, os.readlink(path)
    if kind == stat.S_IFREG:
        with open(path, "rb") as file:
            return kind, status.st_ino, hashlib.sha256(file.read()).hexdigest()
    return kind, status.st_ino


def snapshot(top):
    """Everything beneath `top`, by path; what is in the adapter's own directory changes by itself and is left out."""
    found = {}
    for directory, names, files in os.walk(top):
        if PRIVATE in names:
            names.remove(PRIVATE)
        for name in names + files:
            path = os.path.join(directory, name)
            found[os.path.relpath(path, top)] = describe(path)
    return found
