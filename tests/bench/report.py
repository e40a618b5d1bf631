"""Rows made readable: a table in Markdown, all numbers as TSV, plots by gnuplot."""

import os
import platform
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from statistics import median

import plots
from scenarios import ADAPTER, GO_LOGGING, GO_QUIET, MACHINE, NOTHING, PLAIN

GO_MODULES = Path(__file__).with_name("go") / "go.mod"

HEADINGS = {
    "saturation": "As fast as it goes: 4 connections, 32 calls in flight on each",
    "latency": "Latency at half of the adapter's saturation rate, 1 instance, 64 connections",
    "durability": "Durability `machine` against `process`, 1 instance",
    "memory": "Memory of the largest worker",
    "lag": "From the answer to the record in the output, at 80 % of saturation",
    "instances": "As a call holds more instances",
    "connections": "As the calls come over more connections (taking them included), 1 instance, 128 in flight",
    "growth": "As the output file grows, 400 instances",
}


def command_line(*command):
    """The first line of what a command prints; nothing if it cannot run."""
    try:
        return (subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines() or [""])[0].strip()
    except OSError:
        return ""


def machine(volume):
    """What the numbers belong to; `volume` is where the servers write."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")), "unknown CPU")
    memory = next(line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    virtual = " (virtual machine)" if " hypervisor" in info else ""
    lines = [f"{len(os.sched_getaffinity(0))} cores of {model}{virtual}, {int(memory) / (1 << 20):.0f} GiB",
             f"Linux {platform.release()}, the servers' files on {command_line('findmnt', '-no', 'FSTYPE', '-T', str(volume))}",
             f"libgrpc {command_line('dpkg-query', '-W', '-f', '${Version}', 'libgrpc-dev')}, {command_line('gcc', '--version')}"]
    go = command_line("go", "version").split()
    modules = re.findall(r"(google.golang.org/grpc|github.com/gogo/protobuf) (v\S+)", GO_MODULES.read_text())
    return lines + ([", ".join([go[2], *(f"{module} {version}" for module, version in modules)])] if len(go) > 2 else [])


class Results:
    """The rows, by what they measure."""

    def __init__(self, rows):
        self.rows = rows
        self.values = defaultdict(list)
        for row in rows:
            self.values[row.scenario, row.case, row.server, row.metric].append(row.value)

    def get(self, scenario, case, server, metric):
        """The numbers of all rounds; empty if it was not measured."""
        return self.values.get((scenario, case, server, metric), [])

    def middle(self, scenario, case, server, metric):
        """The median; None if it was not measured."""
        values = self.get(scenario, case, server, metric)
        return median(values) if values else None

    def cases(self, scenario):
        """The cases of a scenario, in the order they were measured."""
        return list(dict.fromkeys(row.case for row in self.rows if row.scenario == scenario))

    def servers(self, scenario):
        """The servers of a scenario."""
        order = [ADAPTER, MACHINE, NOTHING, GO_QUIET, GO_LOGGING]
        return sorted({row.server for row in self.rows if row.scenario == scenario}, key=order.index)


def number(value):
    """With three significant digits or as a whole number."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(values):
    """Median (least to most)."""
    if not values:
        return ""
    return f"{number(median(values))} ({number(min(values))}–{number(max(values))})" if len(values) > 1 else number(values[0])


def ratio(a, b):
    """a / b, or nothing."""
    return f"{a / b:.2f}" if a and b else ""


def table(head, rows):
    """A table in Markdown; all columns but the first stand to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def saturation_table(results):
    """Rates and CPU of each server, and its ratios to the server that does nothing and to the adapter."""
    rows = []
    for case in results.cases("saturation"):
        for server in results.servers("saturation"):
            def middle(who, metric, case=case):
                return results.middle("saturation", case, who, metric)
            rows.append([f"{case}: {server}", spread(results.get("saturation", case, server, "rate")),
                         ratio(middle(server, "rate"), middle(NOTHING, "rate")),
                         spread(results.get("saturation", case, server, "cpu_us")),
                         ratio(middle(server, "cpu_us"), middle(NOTHING, "cpu_us")),
                         ratio(middle(server, "cpu_us"), middle(ADAPTER, "cpu_us"))])
    return table(["", "calls/s", "over do-nothing", "CPU per call, µs", "over do-nothing", "over the adapter"], rows)


def latency_table(results):
    """Percentiles of each server."""
    metrics = ["p50_us", "p99_us", "p99.9_us"]
    rows = []
    for server in results.servers("latency"):
        p99 = [results.middle("latency", "1 instance", who, "p99_us") for who in (server, NOTHING)]
        rows.append([server, *(spread(results.get("latency", "1 instance", server, metric)) for metric in metrics),
                     ratio(*p99)])
    return table(["", "p50, µs", "p99, µs", "p99.9, µs", "p99 over do-nothing"], rows)


def durability_table(results):
    """Rates, and the share that is left with durability "machine"."""
    rows = []
    for case in results.cases("durability"):
        both = [results.get("durability", case, server, "rate") for server in (ADAPTER, MACHINE)]
        rows.append([case, *map(spread, both), ratio(median(both[1]), median(both[0]))])
    return table(["", "`process`, calls/s", "`machine`, calls/s", "ratio"], rows)


def memory_table(results):
    """Resident bytes in MiB."""
    rows = [[case, *(number(results.middle("memory", case, ADAPTER, metric) / (1 << 20)) for metric in ("rss", "anonymous"))]
            for case in results.cases("memory")]
    return table(["", "resident, MiB", "of that no file's, MiB"], rows)


def lag_table(results):
    """Percentiles in milliseconds."""
    rows = [[case, *(spread(results.get("lag", case, ADAPTER, metric)) for metric in ("p50_ms", "p99_ms"))]
            for case in results.cases("lag")]
    return table(["", "p50, ms", "p99, ms"], rows)


def instances_table(results):
    """CPU per call, and what an instance more costs once the share of the call is taken off."""
    rows = []
    first = results.middle("instances", "1", ADAPTER, "cpu_us")
    for case in results.cases("instances"):
        own = results.middle("instances", case, ADAPTER, "cpu_us")
        each = number((own - first) / (int(case) - 1)) if case != "1" else ""
        rows.append([case, spread(results.get("instances", case, ADAPTER, "cpu_us")), each,
                     spread(results.get("instances", case, NOTHING, "cpu_us")),
                     ratio(own, results.middle("instances", case, NOTHING, "cpu_us"))])
    return table(["instances", "CPU per call, µs", "per instance beyond the first, µs", "do-nothing, per call, µs", "ratio"], rows)


def connections_table(results):
    """CPU per call of both."""
    rows = []
    for case in results.cases("connections"):
        both = [results.get("connections", case, server, "cpu_us") for server in (ADAPTER, NOTHING)]
        rows.append([case, *map(spread, both), ratio(median(both[0]), median(both[1]))])
    return table(["connections", "CPU per call, µs", "do-nothing, µs", "ratio"], rows)


def growth_table(results):
    """Rate and CPU while the file grows."""
    rows = []
    for case in results.cases("growth"):
        own, plain = (results.middle("growth", case, server, "cpu_us") for server in (ADAPTER, PLAIN))
        rate = results.middle("growth", case, ADAPTER, "rate")
        rows.append([case, *map(number, (rate, own, plain, own - plain))])
    return [*table(["up to, MiB", "calls/s", "CPU per call, µs", "of write(2) alone, µs", "beyond that, µs"], rows), "",
            "`write(2)` alone appends as many bytes to a file beside it, just before. Where that is dear, the machine is given memory",
            "that it did not have: a page for the output, and some for the segments."]


TABLES = {"saturation": saturation_table, "latency": latency_table, "durability": durability_table, "memory": memory_table,
          "lag": lag_table, "instances": instances_table, "connections": connections_table, "growth": growth_table}


def write(rows, directory, about, notes):
    """`about` is what machine() said. Writes README.md, results.tsv and the plots into the directory."""
    results = Results(rows)
    directory.mkdir(parents=True, exist_ok=True)
    pictures = plots.draw(results, directory)
    lines = ["# Measured by `make bench`", "", "Written by the program; what stands here belongs to this machine:", ""]
    lines += [f"- {line}" for line in about]
    lines += ["", "Numbers are medians of the rounds (least to most in parentheses); the servers took turns in each round. CPU is user",
              "and system of the whole process tree (for the adapter master, workers and collector), by the scheduler's account, from",
              "before the first call until the last record stood in the output file. h2load ran on the same cores.",
              "[performance.md](../performance.md) says where the time goes.", *notes]
    for scenario, make_table in TABLES.items():
        if results.cases(scenario):
            lines += ["", f"## {HEADINGS[scenario]}", "", *make_table(results)]
            lines += [line for name in pictures.get(scenario, []) for line in ("", f"![{name.replace('-', ' ')}]({name}.svg)")]
    (directory / "README.md").write_text("\n".join(lines) + "\n")
    with open(directory / "results.tsv", "w") as out:
        out.write("scenario\tserver\tcase\tround\tmetric\tvalue\n")
        for row in rows:
            out.write("\t".join([*map(str, row[:5]), f"{row.value:.6g}"]) + "\n")
