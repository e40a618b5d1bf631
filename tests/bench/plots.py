"""Plots by gnuplot, each as SVG and as PNG."""

import shutil
import subprocess
from statistics import median

from scenarios import ADAPTER, NOTHING, PLAIN

COLORS = {ADAPTER: "#1f77b4", NOTHING: "#7f7f7f", PLAIN: "#7f7f7f", "Go, quiet": "#2ca02c", "Go, logging": "#d62728"}
TERMINALS = {"svg": "svg size 760,420 font 'sans,13' background 'white'", "png": "pngcairo size 760,420 font 'sans,10'"}


def plot(directory, name, commands, data):
    """Runs gnuplot once for each form. `data` are the blocks that the commands call $block."""
    for suffix, terminal in TERMINALS.items():
        script = [f"set terminal {terminal}", f"set output '{directory / name}.{suffix}'"]
        script += [f"${block} << EOD\n" + "\n".join(lines) + "\nEOD" for block, lines in data.items()]
        subprocess.run(["gnuplot"], input="\n".join(script + commands), text=True, check=True)


def line(values, x):
    """A line of a block: x, median, least, most."""
    return f"{x} {median(values)} {min(values)} {max(values)}"


def draw_saturation(results, directory):
    """Bars of CPU per call, one picture for each request."""
    drawn = []
    for case in results.cases("saturation"):
        servers = results.servers("saturation")
        bars = [f'{at} {median(values)} {min(values)} {max(values)} "{server}" {int(COLORS[server][1:], 16)}'
                for at, server in enumerate(servers)
                if (values := results.get("saturation", case, server, "cpu_us"))]
        name = "cpu-" + case.replace(" ", "-")
        commands = [f"set title 'CPU per call, {case}'", "set ylabel 'µs'", "set yrange [0:*]", "set style fill solid",
                    "set boxwidth 0.6", "set grid y", f"set xrange [-0.6:{len(servers) - 0.4}]", "unset key",
                    "plot $bars using 1:2:6:xtic(5) with boxes linecolor rgb variable, "
                    "$bars using 1:2:3:4 with yerrorbars linecolor rgb 'black' pointtype 0, "
                    "$bars using 1:4:($2 < 1000 ? sprintf('%.3g', $2) : sprintf('%.0f', $2)) with labels offset 0,0.8"]
        plot(directory, name, commands, {"bars": bars})
        drawn.append(name)
    return drawn


def draw_curves(results, directory, scenario, label):
    """CPU per call over a number that grows, for the adapter and the floor."""
    data = {block: [line(results.get(scenario, case, server, "cpu_us"), case) for case in results.cases(scenario)]
            for block, server in (("adapter", ADAPTER), ("nothing", NOTHING))}
    curves = [f"${block} using 1:2:3:4 with yerrorlines linewidth 2 pointtype 7 pointsize 0.6 linecolor rgb '{COLORS[server]}' "
              f"title '{server}'" for block, server in (("adapter", ADAPTER), ("nothing", NOTHING))]
    commands = [f"set title 'CPU per call over {label}'", f"set xlabel '{label}'", "set ylabel 'µs'", "set logscale x", "set grid",
                "set key top left", "set logscale y" if scenario == "instances" else "set yrange [0:*]", "plot " + ", ".join(curves)]
    plot(directory, scenario, commands, data)
    return [scenario]


def draw_growth(results, directory):
    """CPU per call while the file grows."""
    data = {name: [line(results.get("growth", case, server, "cpu_us"), case) for case in results.cases("growth")]
            for name, server in (("adapter", ADAPTER), ("plain", PLAIN))}
    curves = [f"${name} using 1:2 with linespoints linewidth 2 pointtype 7 linecolor rgb '{COLORS[server]}' title '{server}'"
              for name, server in (("adapter", ADAPTER), ("plain", PLAIN))]
    commands = ["set title 'CPU per call as the output file grows, 400 instances'", "set xlabel 'MiB'", "set ylabel 'µs'",
                "set yrange [0:*]", "set grid", "set key top left", "plot " + ", ".join(curves)]
    plot(directory, "growth", commands, data)
    return ["growth"]


def draw(results, directory):
    """Draws what was measured; returns the names of the pictures by scenario. Without gnuplot there are none."""
    if shutil.which("gnuplot") is None:
        return {}
    pictures = {}
    if results.cases("saturation"):
        pictures["saturation"] = draw_saturation(results, directory)
    for scenario, label in (("instances", "instances in a call"), ("connections", "connections")):
        if results.cases(scenario):
            pictures[scenario] = draw_curves(results, directory, scenario, label)
    if results.cases("growth"):
        pictures["growth"] = draw_growth(results, directory)
    return pictures
