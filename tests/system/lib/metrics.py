"""Requests and the text they become. The messages are generated from proto/ when the tests start."""

import atexit
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
HEAD = b"HandleMetric invoked with:\n"
PARAMS_TYPE = "type.googleapis.com/adapter.mygrpcadapter.config.Params"


def generate_messages():
    """Has protoc write the Python classes into a directory of their own, and puts that on the path."""
    directory = tempfile.mkdtemp(prefix="mygrpcadapter-proto-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    protos = sorted(str(path) for path in (REPOSITORY / "proto").glob("*.proto"))
    command = ["protoc", f"-I{REPOSITORY / 'proto'}", "-I/usr/include", f"--python_out={directory}"]
    subprocess.run(command + protos, check=True)
    sys.path.insert(0, directory)


generate_messages()

import metric_pb2  # noqa: E402


def encode_path(path):
    """A Params message with that file_path, which may be bytes that are no UTF-8."""
    raw = path if isinstance(path, bytes) else path.encode()
    return b"\x0a" + encode_varint(len(raw)) + raw if raw else b""


def encode_varint(number):
    """A number as protobuf writes it."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def config_field(path, type_url=PARAMS_TYPE):
    """The field adapter_config by itself: appended to a request, it replaces the one in it."""
    url = type_url.encode()
    params = encode_path(path)
    config = b"\x0a" + encode_varint(len(url)) + url + b"\x12" + encode_varint(len(params)) + params
    return b"\x12" + encode_varint(len(config)) + config


def head_text(path):
    """The text of a call up to its instances."""
    raw = path if isinstance(path, bytes) else path.encode()
    return HEAD + b"  Adapter config: &Params{FilePath:" + raw + b",}\n  Instances: "


@dataclass(frozen=True)
class Metric:
    """One call: `ident` stands in each of its instances, which are numbered from 0, so that a text that is torn or
    mixed with another differs from text()."""

    path: object = ""
    ident: str = "x"
    instances: int = 1
    padding: int = 0

    def wire(self):
        """The request."""
        request = metric_pb2.HandleMetricRequest()
        for number in range(self.instances):
            instance = request.instances.add()
            instance.name = f"{self.ident}.instance.istio-system"
            instance.value.int64_value = number
            instance.dimensions["id"].string_value = self.ident
            if self.padding:
                instance.dimensions["pad"].string_value = "p" * self.padding
        return request.SerializeToString() + config_field(self.path)

    def text(self):
        """What the Go adapter writes for it, as it stands in a file; standard output gets a newline more."""
        pad = f" pad:{'p' * self.padding}" if self.padding else ""
        instances = "".join(
            f"'{self.ident}.instance.istio-system':\n  {{\n\t\tValue = {number}\n"
            f"\t\tDimensions = map[id:{self.ident}{pad}]\n  }}"
            for number in range(self.instances)
        )
        newlines = "\n" if self.path else "\n\n"
        return head_text(self.path) + (instances + newlines).encode()


def doubles_request(values):
    """One request with an instance for each of the doubles, given as 64 bits, named after its place."""
    request = metric_pb2.HandleMetricRequest()
    for number, value in enumerate(values):
        instance = request.instances.add()
        instance.name = f"d{number}"
        instance.value.double_value = value
    return request.SerializeToString()

