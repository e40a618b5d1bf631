"""The adapter's log: one line, text or JSON, becomes one LogLine."""

import json
import re
from dataclasses import dataclass
from datetime import datetime

TEXT = re.compile(r"^(\S+Z) (error|warning|info|debug) (\w+)(?:/(\d+))?\[(\d+)\]: (.*)$")
EVENT = re.compile(r'^(.*?)((?: \w+=(?:"(?:\\.|[^"\\])*"|\S+))*)$')
FIELD = re.compile(r' (\w+)=("(?:\\.|[^"\\])*"|\S+)')

# What a sanitizer, or the adapter itself, says before it ends a process that has gone wrong.
ALARMS = (
    "AddressSanitizer",
    "LeakSanitizer",
    "runtime error:",
    "UndefinedBehaviorSanitizer",
    "ThreadSanitizer",
    "a promise of our own code is broken",
    "stack smashing",
    "buffer overflow detected",
)

# Signals that end a process of ours only if it is at fault.
FAULTS = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL", "SIGSYS")


@dataclass(frozen=True)
class LogLine:
    """One event. `fields` holds all values as text; `slot` is None for master and collector."""

    raw: str
    time_ms: int = 0
    level: str = ""
    role: str = ""
    slot: object = None
    pid: int = 0
    event: str = ""
    fields: object = None

    def has(self, event, **fields):
        """Whether it tells of that event, with these values among its fields."""
        return self.event == event and all(
            (self.fields or {}).get(key) == str(value) for key, value in fields.items()
        )

    def number(self, key):
        """The field of that name as a number."""
        return int(self.fields[key])


def time_ms_of(text):
    """Milliseconds since the epoch of a time as the log writes it."""
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
    return round(moment.timestamp() * 1000)


def parse_text(raw):
    """A line in text form; one that is not the adapter's own keeps only `raw`."""
    match = TEXT.match(raw)
    if match is None:
        return LogLine(raw)
    when, level, role, slot, pid, rest = match.groups()
    event, tail = EVENT.match(rest).groups()
    fields = {
        key: json.loads(value) if value.startswith('"') else value
        for key, value in FIELD.findall(tail)
    }
    return LogLine(raw, time_ms_of(when), level, role, None if slot is None else int(slot), int(pid),
                   event, fields)


def parse_json(raw):
    """A line in JSON form; fails if it is none."""
    line = json.loads(raw)
    own = {key: line.pop(key) for key in ("time", "level", "role", "pid", "event")}
    slot = line.pop("slot", None) if own["role"] == "worker" else None
    fields = {key: str(value) for key, value in line.items()}
    return LogLine(raw, time_ms_of(own["time"]), own["level"], own["role"], slot, own["pid"],
                   own["event"], fields)


class LogFile:
    """A log that is still being written; lines() reads on where it last stopped."""

    def __init__(self, path, form="text"):
        self.path = path
        self.parse = parse_json if form == "json" else parse_text
        self.offset = 0
        self.known = []

    def lines(self):
        """All whole lines so far."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self.offset += len(whole)
        for raw in whole.decode("utf-8", "replace").splitlines():
            self.known.append(self.parse(raw))
        return self.known

    def find(self, event, **fields):
        """All lines that tell of that event with these fields."""
        return [line for line in self.lines() if line.has(event, **fields)]

    def alarms(self):
        """All lines that no run may hold, whatever it was put through."""
        with open(self.path, encoding="utf-8", errors="replace") as file:
            found = [raw.rstrip() for raw in file if any(alarm in raw for alarm in ALARMS)]
        for line in self.lines():
            signal_name = (line.fields or {}).get("signal")
            if signal_name in FAULTS and "killed_because" not in line.fields:
                found.append(line.raw)
        return found
