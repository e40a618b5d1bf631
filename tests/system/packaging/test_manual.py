"""The man pages are well-formed, and leave out nothing that the program has: no setting, option, exit code or signal."""

import os
import re
import signal
import subprocess

import pytest

from adapter import PROGRAM, REPOSITORY, run_program

PROGRAM_PAGE = REPOSITORY / "docs/man/mygrpcadapter.8"
SETTINGS_PAGE = PROGRAM.parent / "man/mygrpcadapter.cfg.5"
PAGES = pytest.mark.parametrize("page", [PROGRAM_PAGE, SETTINGS_PAGE], ids=lambda page: page.name)


def run(*command):
    """The lines a tool prints, on both of its outputs."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.splitlines()


def section(page, title, macro="Sh"):
    """The source of one section, or with macro="Ss" of one part of a section."""
    text = page.read_text()
    begin = f".{macro} {title}\n"
    assert text.count(begin) == 1, f"{page.name} has no {title}"
    end = r"^\.Sh " if macro == "Sh" else r"^\.S[hs] "
    return re.split(end, text.split(begin)[1], maxsplit=1, flags=re.MULTILINE)[0]


def options(help_text):
    """The options that a --help lists: those with which a line begins."""
    found = set()
    for line in help_text.splitlines():
        listed = re.match(r" +(-\w, )?(--[\w-]+)", line)
        if listed:
            found.update(filter(None, (listed.group(1) and listed.group(1)[:2], listed.group(2))))
    return found


def options_in(source):
    """The options that a page's source tells of."""
    tags = re.findall(r"^\.It (Fl .*)$", source, flags=re.MULTILINE)
    return {"-" + name.replace("\\-", "-") for tag in tags for name in re.findall(r"Fl ((?:\\-)?\w[\w-]*)", tag)}


def commands():
    """The commands that `mygrpcadapter --help` names beside serving."""
    return re.findall(r"^ +mygrpcadapter (\w+) ", run_program("--help").stdout, flags=re.MULTILINE)


@PAGES
def test_mandoc_finds_nothing(page):
    """mandoc's lint is content, down to style; that the other page is not installed is not its fault."""
    found = run("mandoc", "-T", "lint", "-W", "style", str(page))
    assert [line for line in found if "referenced manual not found: Xr mygrpcadapter" not in line] == []


@PAGES
def test_groff_finds_nothing(page):
    """groff, with which man shows pages on Debian, has no warning."""
    assert run("groff", "-mdoc", "-ww", "-z", str(page)) == []


def printed_settings():
    """What `-t` prints of each setting: name, default as libconfig writes it, bounds or None."""
    found, group = {}, None
    for line in run_program("-c", "/dev/null", "-t").stdout.splitlines():
        if line.endswith(": {"):
            group = line[:-3]
        elif " = " in line:
            name, value, bounds = re.match(r" +(\w+) = ([^;]*);.*?(?: \((\d+ to \d+)\))?$", line).groups()
            found[f"{group}.{name}"] = value, bounds
    assert found["segments.directory"][0] == '"/volume/.mygrpcadapter"'
    found["segments.directory"] = '""', None  # what "" stands for was printed
    return found


def choices(name):
    """What a setting is one of, as the refusal of something else says; empty where it is no choice."""
    refused = run_program("-c", "/dev/null", "-t", "--set", f"{name}=/?").stderr
    return refused.split("is not one of: ")[1].strip().split(", ") if "is not one of: " in refused else []


def paragraphs(path):
    """The settings of a configuration file that stand below a comment: name, value and comment."""
    found, group, comment = {}, None, []
    for line in path.read_text().splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.strip("# "))
            continue
        if re.fullmatch(r"\w+: \{", line):
            group = line[:-3]
        member = re.fullmatch(r" +(\w+) = (.*);", line)
        if member and comment:
            found[f"{group}.{member.group(1)}"] = member.group(2), " ".join(comment)
        comment = []
    return found


def faults_of_paragraph(name, default, bounds, found):
    """What is wrong with what etc/mygrpcadapter.cfg has of one setting."""
    if name not in found:
        return ["no paragraph"]
    value, comment = found[name]
    faults = [] if value == default else [f"the default is {default}"]
    if bounds:  # with other units in parentheses, and an L for libconfig
        least, most = bounds.split(" to ")
        if not re.search(rf"\b{least}L?( \([^)]*\))? to {most}L?\b", comment):
            faults.append(f"the bounds are {bounds}")
    return faults + [f"it can be {choice}" for choice in choices(name) if f'"{choice}"' not in comment]


def test_every_setting_has_a_paragraph_in_the_shipped_file():
    """etc/mygrpcadapter.cfg has each setting at its default, below a comment that tells bounds or choices."""
    settings, found = printed_settings(), paragraphs(REPOSITORY / "etc/mygrpcadapter.cfg")
    faults = [f"etc/mygrpcadapter.cfg: {name}: {fault}" for name, (default, bounds) in settings.items()
              for fault in faults_of_paragraph(name, default, bounds, found)]
    assert not faults, "\n".join(faults)
    assert list(found) == list(settings)


def faults_of_row(name, default, found):
    """What is wrong with what the README's table has of one setting."""
    if name not in found:
        return ["no row"]
    written, meaning = found[name]
    written = written.split("`")[1] if "`" in written else written
    default = {"segments.directory": ".mygrpcadapter"}.get(name, default.strip('"') or "empty")
    faults = [] if written == default else [f"the default is {default}"]
    return faults + [f"it can be {choice}" for choice in choices(name) if f"`{choice}`" not in meaning]


def test_every_setting_has_a_row_in_the_readme():
    """The README's table has each setting with its default and its choices."""
    table = (REPOSITORY / "README.md").read_text().split("## Configuration\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z]+\.\w+)` \| (.+?) \| (.+) \|$", table, flags=re.MULTILINE)
    settings, found = printed_settings(), {name: (default, meaning) for name, default, meaning in rows}
    faults = [f"README.md, Configuration: {name}: {fault}" for name, (default, _) in settings.items()
              for fault in faults_of_row(name, default, found)]
    assert not faults, "\n".join(faults)
    assert list(found) == list(settings)


def test_every_setting_is_in_the_manual():
    """mygrpcadapter.cfg(5) has each setting, with its default, and no other."""
    tags = re.findall(r"^\.It Va (\S+) No = Li (.*)$", SETTINGS_PAGE.read_text(), flags=re.MULTILINE)
    described = {name: value.replace("\\(dq", '"') for name, value in tags}
    assert described == {name: value for name, (value, _) in printed_settings().items()}


def test_every_option_is_described():
    """Each option of --help, the program's and each command's, stands in its place."""
    described = options_in(section(PROGRAM_PAGE, "DESCRIPTION").split(".Ss ")[0])
    assert described == options(run_program("--help").stdout)
    known = re.findall(r'^ +\{"(\w+)", \w+_command\},$', (REPOSITORY / "master/main.c").read_text(), flags=re.MULTILINE)
    assert known and sorted(commands()) == sorted(known)
    for command in commands():
        described = options_in(section(PROGRAM_PAGE, f"mygrpcadapter {command}", "Ss"))
        assert described == options(run_program(command, "--help").stdout), command


def test_every_exit_code_is_described():
    """The exit codes that master/ can give stand in the page and in the README, and no others."""
    sources = "".join(path.read_text() for path in (REPOSITORY / "master").rglob("*.[ch]"))
    used = {getattr(os, name) for name in re.findall(r"\bEX_[A-Z]+\b", sources)} | {0}
    page = section(PROGRAM_PAGE, "EXIT STATUS")
    assert {int(code) for code in re.findall(r"^\.It (\d+)$", page, flags=re.MULTILINE)} == used
    readme = (REPOSITORY / "README.md").read_text().split("## Exit codes")[1].split("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", readme, flags=re.MULTILINE)} == used


def test_every_signal_is_described(stage):
    """The signals that the master takes, which are those it blocks, stand in the page."""
    adapter = stage.start()
    with open(f"/proc/{adapter.pid}/status", encoding="ascii") as status:
        blocked = int(re.search(r"SigBlk:\s*(\w+)", status.read()).group(1), 16)
    taken = {signal.Signals(number).name[3:] for number in range(1, 32) if blocked >> (number - 1) & 1} - {"CHLD"}
    tags = re.findall(r"^\.It Dv (.*)$", section(PROGRAM_PAGE, "SIGNALS"), flags=re.MULTILINE)
    assert {name for tag in tags for name in tag.split(" , ")} == taken
