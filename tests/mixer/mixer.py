"""A real Mixer on the manifests, and what reports to it: mixc, and a client of its API for what mixc cannot do."""

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from adapter import REPOSITORY
from waiting import until

MIXS, MIXC = os.environ["MIXS"], os.environ["MIXC"]
ADDRESS = "127.0.0.1:9091"
OPTIONS = ["--address", f"tcp://{ADDRESS}", "--monitoringPort", "15014", "--ctrlz_port", "9876",
           "--log_output_level", "default:info,grpcAdapter:debug"]
TIMEOUT = 30.0


def generate_api():
    """Has protoc write the Python classes of Mixer's API, and imports them."""
    directory = tempfile.mkdtemp(prefix="mygrpcadapter-mixer-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    here = Path(__file__).parent
    subprocess.run(["protoc", f"-I{here}", "-I/usr/include", f"--python_out={directory}", str(here / "mixer_api.proto")],
                   check=True)
    sys.path.insert(0, directory)


generate_api()

import mixer_api_pb2 as api  # noqa: E402

# Which map of CompressedAttributes holds values of a type.
PLACES = {bool: "bools", int: "int64s", float: "doubles", bytes: "bytes"}


class Words:
    """The dictionary of one report."""

    def __init__(self):
        self.places = {}

    def place(self, word):
        """Where a word stands, counted as the wire has it."""
        return self.places.setdefault(word, -1 - len(self.places))


def compress(attributes):
    """Attributes by name, as CompressedAttributes. Times and durations are messages, string maps dicts."""
    out, words = api.CompressedAttributes(), Words()
    for name, value in attributes.items():
        key = words.place(name)
        if isinstance(value, str):
            out.strings[key] = words.place(value)
        elif isinstance(value, dict):
            for entry, text in value.items():
                out.string_maps[key].entries[words.place(entry)] = words.place(text)
        elif type(value) in PLACES:
            getattr(out, PLACES[type(value)])[key] = value
        else:
            place = out.timestamps if value.DESCRIPTOR.name == "Timestamp" else out.durations
            place[key].CopyFrom(value)
    out.words.extend(words.places)
    return out


class Proxy:
    """A client of Mixer's API on a connection of its own, as Envoy is one."""

    def __init__(self):
        self.channel = grpc.insecure_channel(ADDRESS, options=(("grpc.use_local_subchannel_pool", 1),))
        self.method = self.channel.unary_unary(
            "/istio.mixer.v1.Mixer/Report", request_serializer=api.ReportRequest.SerializeToString,
            response_deserializer=api.ReportResponse.FromString)

    def report(self, *requests):
        """Reports these requests, each a dict of attributes, in one call; returns "" or Mixer's complaint."""
        message = api.ReportRequest(
            attributes=[compress(each) for each in requests],
            repeated_attributes_semantics=api.ReportRequest.INDEPENDENT_ENCODING)
        try:
            self.method(message, timeout=TIMEOUT, wait_for_ready=True)
            return ""
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"

    def close(self):
        """Ends the connection."""
        self.channel.close()


@dataclass
class Traffic:
    """Reports one after the other, each with a request.size that no other has, until stopped."""

    first: int
    acknowledged: list = field(default_factory=list)
    refused: list = field(default_factory=list)  # pairs of size and complaint

    def __post_init__(self):
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        """The thread."""
        proxy, size = Proxy(), self.first
        while not self.stopped.is_set():
            complaint = proxy.report({"request.size": size})
            if complaint:
                self.refused.append((size, complaint))
                self.stopped.wait(0.02)
            else:
                self.acknowledged.append(size)
            size += 1
        proxy.close()

    def wait_more(self, count):
        """Waits until so many more have been acknowledged."""
        goal = len(self.acknowledged) + count
        until(lambda: len(self.acknowledged) >= goal,
              lambda: f"{goal} acknowledged; {len(self.acknowledged)} are, last refused: {self.refused[-1:]}", 150.0)

    def stop(self):
        """Ends it; returns itself."""
        self.stopped.set()
        self.thread.join()
        return self


class Mixer:
    """One Mixer, with its configuration in a folder: the whole of manifests/, unchanged, and what a test adds."""

    def __init__(self, home):
        self.folder = home / "configuration"
        self.folder.mkdir(parents=True)
        self.log_path = home / "log"
        self.process = None
        for path in (REPOSITORY / "manifests").glob("*.yaml"):
            self.add(path)

    def add(self, path):
        """Puts a file into its configuration, or in place of one that is there."""
        self.write(path.name, path.read_text(encoding="utf-8"))

    def write(self, name, text):
        """Puts text into its configuration, at once."""
        new = self.folder / "new"
        new.write_text(text, encoding="utf-8")
        new.rename(self.folder / name)

    def read(self, name):
        """A file of its configuration."""
        return (self.folder / name).read_text(encoding="utf-8")

    def start(self, sign="grpcAdapter\tConnected to: "):
        """Starts it; returns when it has said that, by default when it has a handler that a rule uses."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [MIXS, "server", f"--configStoreURL=fs://{self.folder}", *OPTIONS], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        self.wait_log(sign)
        return self

    def stop(self):
        """Ends it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log(self):
        """All it has said."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_log(self, text, count=1):
        """Waits until it has said that so often."""
        def said():
            assert self.process.poll() is None, f"Mixer ended: {self.log()[-2000:]}"
            return self.log().count(text) >= count
        until(said, lambda: f"{count} x {text!r}: {self.log()[-3000:]}")

    def change(self, name, old, new):
        """Edits a file of its configuration; returns when it has connected the handler that this changes."""
        connected = self.log().count("Connected to: ")
        text = self.read(name)
        assert text.count(old) == 1
        self.write(name, text.replace(old, new))
        self.wait_log("Connected to: ", connected + 1)


def mixc(*arguments):
    """Has mixc report; returns what it says of each call."""
    result = subprocess.run([MIXC, "report", "-m", ADDRESS, *map(str, arguments)], capture_output=True, text=True,
                            timeout=TIMEOUT, check=False)
    assert result.returncode == 0, result.stderr
    return re.findall(r"^Report RPC returned (.*)$", result.stdout + result.stderr, re.MULTILINE)
