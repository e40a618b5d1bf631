"""What an earlier release left on the volume, the next one takes up.

segments-v1/ holds what release 0.1.0, whose segments were of version 1, left when every process of it was killed: a sealed
segment and an open one, with 120 records for a.txt and 110 for b/c.txt, of which nothing was merged.
"""

import gzip
from pathlib import Path

from adapter import run_program
from metrics import Metric

LEFT = Path(__file__).parent / "segments-v1"


def left_text(path, count):
    """What the segments hold for an output."""
    record = (f"HandleMetric invoked with:\n  Adapter config: &Params{{FilePath:{path},}}\n"
              f"  Instances: 'i1metric.instance.istio-system':\n  {{\n\t\tValue = 1235\n"
              f"\t\tDimensions = map[pad:{60 * 'x'} response_code:200]\n  }}\n")
    return record.encode() * count


def leave(adapter):
    """Puts the segments where they were."""
    adapter.segments.mkdir(parents=True, exist_ok=True)
    for packed in LEFT.glob("*.gz"):
        (adapter.segments / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))


def test_segments_of_version_1(stage):
    """All of it is merged, in order, once, and nothing is called damaged; new records follow."""
    adapter = stage.adapter({"workers.count": 1})
    leave(adapter)
    seen = run_program("segments", "--verify", adapter.segments)
    assert seen.returncode == 0 and "230 records" in seen.stdout and "no damage" in seen.stdout
    adapter.start()
    adapter.wait_output("a.txt", left_text("a.txt", 120))
    adapter.wait_output("b/c.txt", left_text("b/c.txt", 110))
    new = stage.client(adapter).send(Metric("a.txt", "new"))
    adapter.drain()
    assert adapter.output("a.txt") == left_text("a.txt", 120) + new.text()
    assert adapter.quarantined() == []


def test_damage_in_a_segment_of_version_1(stage):
    """A flipped bit in it is found as in any other."""
    adapter = stage.adapter({"workers.count": 1})
    leave(adapter)
    (name,) = [name for name in adapter.segment_files() if name.endswith(".open")]
    raw = bytearray((adapter.segments / name).read_bytes())
    raw[4096 + 100] ^= 1
    (adapter.segments / name).write_bytes(raw)
    adapter.start()
    adapter.wait_output("b/c.txt", left_text("b/c.txt", 102))
    adapter.drain()
    assert [path.read_bytes() for path in adapter.quarantined()] == [raw]
