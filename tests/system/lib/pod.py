"""The adapter as the manifests run it: with their arguments and configuration, as their user, without capabilities, on a
root file system that cannot be written, with /volume as the only place to write to."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from adapter import PROGRAM, REPOSITORY, Adapter, make_environment

MANIFESTS = REPOSITORY / "manifests"
WORKLOADS = ("mygrpcadapter-k8s.yaml", "scale/mygrpcadapter-replicas-k8s.yaml")

# A root of its own: $1 is where, $2 what is /volume there, $3 what the ConfigMap holds, $4 user and $5 group; then the command.
SCRIPT = """set -eu
root=$1 volume=$2 configuration=$3 user=$4 group=$5
shift 5
/usr/bin/python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh22x", b"lo", 0x41))'
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
mkdir usr bin proc dev volume etc etc/mygrpcadapter
ln -s usr/lib lib
ln -s usr/lib64 lib64
: >bin/mygrpcadapter
mount --rbind /usr usr
mount --rbind /proc proc
mount --rbind /dev dev
mount --bind "$1" bin/mygrpcadapter
mount --bind "$volume" volume
mount --bind "$configuration" etc/mygrpcadapter
shift
mount -o remount,ro "$root"
exec chroot "$root" /usr/bin/setpriv --reuid "$user" --regid "$group" --clear-groups --inh-caps=-all --bounding-set=-all \
    --no-new-privs /bin/mygrpcadapter "$@"
"""


def read_manifest(name):
    """The objects of one file, in its order."""
    with open(MANIFESTS / name, encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document]


def find_object(kind, *names):
    """The only object of that kind in those files."""
    found = [each for name in names for each in read_manifest(name) if each["kind"] == kind]
    assert len(found) == 1, f"{kind}: {len(found)} in {names}"
    return found[0]


def workload_of(name):
    """The Deployment or StatefulSet of a file."""
    return [each for each in read_manifest(name) if each["kind"] in ("Deployment", "StatefulSet")][0]


def container_of(workload):
    """The adapter's container."""
    return workload["spec"]["template"]["spec"]["containers"][0]


class Pod(Adapter):
    """The adapter of a workload's first container. `extra` arguments follow those of the manifest.

    With `network` "own", it has a network of its own, and clients run in it by inside() and fetch(); with "this", it has this
    process's.
    """

    def __init__(self, home, name=WORKLOADS[0], extra=(), network="own"):
        if os.geteuid() != 0:
            pytest.skip("only root can mount a root file system")
        super().__init__(home, {"log.format": "json"}, root="/volume")
        self.spec = workload_of(name)["spec"]["template"]["spec"]
        self.extra = extra
        self.seen_root = self.home / "volume"
        self.configuration = self.home / "configuration" / "mygrpcadapter.cfg"
        for directory in (self.seen_root, self.configuration.parent, self.home / "root"):
            directory.mkdir()
        self.configuration.write_text(find_object("ConfigMap", WORKLOADS[0])["data"][self.configuration.name], encoding="utf-8")
        identity = self.spec["securityContext"]
        os.chown(self.seen_root, 0, identity["fsGroup"])  # as the kubelet leaves a volume for that group
        self.seen_root.chmod(0o2770)
        namespaces = ["--mount", "--propagation", "private", *(["--net"] if network == "own" else [])]
        self.wrapper = ("unshare", *namespaces, "sh", "-c", SCRIPT, "sh", str(self.home / "root"), str(self.seen_root),
                        str(self.configuration.parent), str(identity["runAsUser"]), str(identity["runAsGroup"]))

    def arguments(self, *extra):
        """Those of the manifest."""
        return [*self.spec["containers"][0]["args"], *map(str, (*self.extra, *extra))]

    def inside(self, *arguments):
        """Runs another command of the program in the pod's network; returns the finished process."""
        return self.run_inside(str(PROGRAM), *map(str, arguments))

    def fetch(self, url):
        """What a web server in the pod's network answers."""
        script = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())"
        result = self.run_inside("/usr/bin/python3", "-c", script, url)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def run_inside(self, *command):
        """Runs a command in the pod's network."""
        enter = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--"]
        return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=30, check=False,
                              env=make_environment(), cwd=Path("/"))
