"""The golden requests through the running server: for each the output holds, byte for byte, what the Go adapter wrote.

The requests name files beneath /volume; a second adapter_config appended to them names one beneath the temporary root
instead (the last one counts), and the text is expected with that path.
"""

import re
import struct

import pytest

from metrics import REPOSITORY, config_field, doubles_request, head_text
from trees import snapshot
from waiting import until

GOLDEN = REPOSITORY / "tests" / "golden"
TEXTS = sorted(path.stem for path in GOLDEN.glob("*.txt"))
ERRORS = sorted(path.stem for path in GOLDEN.glob("*.err"))
HEAD = re.compile(rb"\AHandleMetric invoked with:\n  Adapter config: &Params\{FilePath:(.*?),\}\n  Instances: ",
                  re.DOTALL)
DOUBLES_PER_REQUEST = 200


@pytest.fixture(scope="module", name="server")
def start_server(shared_stage):
    """One adapter with one connection for all golden requests."""
    adapter = shared_stage.start()
    adapter.client = shared_stage.client(adapter)
    return adapter


def golden_path_and_body(name):
    """The file_path in a golden text, and the text after its head."""
    text = (GOLDEN / f"{name}.txt").read_bytes()
    head = HEAD.match(text)
    return head.group(1), text[head.end():]


def test_all_are_there():
    """The five requests of a real Mixer, more than a hundred others, and three that cannot be decoded."""
    assert len([name for name in TEXTS if name.startswith("mixer-")]) == 5
    assert len(TEXTS) > 100 and len(ERRORS) == 3


@pytest.mark.parametrize("name", TEXTS)
def test_text_in_a_file(server, name):
    """The request, sent with a path beneath the root, becomes the golden text with that path."""
    path = str(server.root / "golden" / f"{name}.out")
    _, body = golden_path_and_body(name)
    wire = (GOLDEN / f"{name}.pb").read_bytes() + config_field(path)
    answer = server.client.call(wire)
    assert answer.ok and answer.response == b"", answer
    server.wait_output(f"golden/{name}.out", head_text(path) + body)


@pytest.mark.parametrize("name", [name for name in TEXTS if golden_path_and_body(name)[0] == b""])
def test_text_on_standard_output(server, name):
    """The request without file_path, sent as it is, becomes the golden text and a newline on standard output."""
    before = len(server.stdout())
    assert server.client.call((GOLDEN / f"{name}.pb").read_bytes()).ok
    expected = (GOLDEN / f"{name}.txt").read_bytes() + b"\n"
    until(lambda: len(server.stdout()) >= before + len(expected), "the text on standard output")
    assert server.stdout()[before:] == expected


@pytest.mark.parametrize("name", [name for name in TEXTS if golden_path_and_body(name)[0] != b""])
def test_path_of_another_root(server, name):
    """The request as it is names a file that is not beneath the root: refused, nothing written."""
    before = snapshot(server.home)
    answer = server.client.call((GOLDEN / f"{name}.pb").read_bytes())
    assert answer.status == "INVALID_ARGUMENT" and "output.root" in answer.details
    after = snapshot(server.home)
    del before["log.1"], after["log.1"]
    assert after == before


@pytest.mark.parametrize("name", ERRORS)
def test_undecodable(server, name):
    """The request that the Go adapter could not decode: INVALID_ARGUMENT, a message that says why, nothing written."""
    before = snapshot(server.root), server.stdout()
    answer = server.client.call((GOLDEN / f"{name}.pb").read_bytes())
    assert answer.status == "INVALID_ARGUMENT"
    assert answer.details and "file_path" not in answer.details
    assert (snapshot(server.root), server.stdout()) == before


def read_vectors():
    """The doubles, and how Go prints each."""
    rows = [line.split("\t") for line in (GOLDEN / "go-float-vectors.tsv").read_text().splitlines()]
    return [(struct.unpack(">d", bytes.fromhex(bits))[0], text) for bits, text in rows]


def test_doubles(server):
    """All 831 doubles are printed as Go prints them."""
    vectors = read_vectors()
    assert len(vectors) == 831
    expected = b""
    for start in range(0, len(vectors), DOUBLES_PER_REQUEST):
        batch = vectors[start:start + DOUBLES_PER_REQUEST]
        wire = doubles_request([value for value, _ in batch]) + config_field("doubles.txt")
        assert server.client.call(wire).ok
        instances = "".join(f"'d{number}':\n  {{\n\t\tValue = {text}\n\t\tDimensions = map[]\n  }}"
                            for number, (_, text) in enumerate(batch))
        expected += head_text("doubles.txt") + instances.encode() + b"\n"
    server.wait_output("doubles.txt", expected)
