"""`make install` and `make uninstall`, and the units that are installed: systemd finds nothing to say about them."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from adapter import PROGRAM, REPOSITORY, run_program

PROGRAM_PATH = "usr/bin/mygrpcadapter"
CONFIGURATION = "etc/mygrpcadapter.cfg"
UNITS = "usr/lib/systemd/system"
INSTALLED = {
    PROGRAM_PATH,
    CONFIGURATION,
    f"{UNITS}/mygrpcadapter.service",
    f"{UNITS}/mygrpcadapter.socket",
    "usr/lib/sysusers.d/mygrpcadapter.conf",
    "usr/lib/tmpfiles.d/mygrpcadapter.conf",
    "usr/share/man/man5/mygrpcadapter.cfg.5",
    "usr/share/man/man8/mygrpcadapter.8",
}
EXPOSURE_MAX = 2.0


def make(*arguments):
    """Runs make for the program under test; returns what it printed. It does not see the make that runs the tests."""
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    build = f"BUILD={PROGRAM.parent.relative_to(REPOSITORY)}"
    done = subprocess.run(["make", "-s", "-C", REPOSITORY, build, *arguments], env=environment, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def files(root):
    """The files beneath a directory, relative to it."""
    return {str(path.relative_to(root)) for path in Path(root).rglob("*") if not path.is_dir()}


@pytest.fixture(name="installed")
def installed_fixture(tmp_path):
    """A directory into which everything was installed."""
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    return tmp_path


def analyze(unit, *arguments):
    """What systemd-analyze says of a unit, with its exit code. The program is where it was installed, not in /usr/bin."""
    root = unit.parents[4]
    unit.write_text(unit.read_text().replace(f"/{PROGRAM_PATH}", str(root / PROGRAM_PATH)))
    done = subprocess.run(["systemd-analyze", *arguments, unit], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    return done.returncode, done.stdout


def test_install_and_uninstall(installed):
    """Everything comes to its place, and goes again."""
    assert files(installed) == INSTALLED
    assert os.access(installed / PROGRAM_PATH, os.X_OK)
    make("uninstall", f"DESTDIR={installed}", "PREFIX=/usr")
    assert files(installed) == set()


def test_a_changed_configuration_is_kept(installed):
    """Neither a second install nor uninstall touches a configuration that was changed."""
    configuration = installed / CONFIGURATION
    configuration.write_text("listen: { port = 9; };\n")
    make("install", f"DESTDIR={installed}", "PREFIX=/usr")
    assert configuration.read_text() == "listen: { port = 9; };\n"
    said = make("uninstall", f"DESTDIR={installed}", "PREFIX=/usr")
    assert files(installed) == {CONFIGURATION}
    assert str(configuration) in said


def test_the_installed_configuration(installed):
    """It is the documented one, with the service's directory as output.root."""
    shown = run_program("-c", installed / CONFIGURATION, "-t").stdout
    default = run_program("-c", REPOSITORY / "etc/mygrpcadapter.cfg", "-t").stdout
    assert shown == default.replace('"/volume', '"/var/lib/mygrpcadapter') != default


def test_prefix_names_the_program(tmp_path):
    """The unit starts the program from where it was installed, /usr/local by default."""
    make("install", f"DESTDIR={tmp_path}")
    unit = tmp_path / "usr/local/lib/systemd/system/mygrpcadapter.service"
    assert "\nExecStart=/usr/local/bin/mygrpcadapter\n" in unit.read_text()
    make("uninstall", f"DESTDIR={tmp_path}")
    assert files(tmp_path) == set()


@pytest.mark.parametrize("name", ["mygrpcadapter.service", "mygrpcadapter.socket"])
def test_units_verify(installed, name):
    """systemd-analyze verify is content."""
    assert analyze(installed / UNITS / name, "verify", "--man=no") == (0, "")


def test_service_is_confined(installed):
    """systemd-analyze security finds little that the service may do and does not need."""
    code, said = analyze(installed / UNITS / "mygrpcadapter.service", "security", "--offline=yes", "--no-pager")
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said).group(1))
    assert code == 0 and exposure <= EXPOSURE_MAX, said


def test_service_and_tmpfiles_agree(installed):
    """The directory that systemd makes for the service is the one tmpfiles makes, and the configuration's output.root."""
    unit = (installed / UNITS / "mygrpcadapter.service").read_text()
    tmpfiles = (installed / "usr/lib/tmpfiles.d/mygrpcadapter.conf").read_text()
    _, path, mode, user, group, _ = re.search(r"^d .*$", tmpfiles, flags=re.MULTILINE).group().split()
    for line in (f"StateDirectory={Path(path).name}", f"StateDirectoryMode={mode}", f"User={user}", f"Group={group}"):
        assert f"\n{line}\n" in unit
    assert f'root = "{path}";' in run_program("-c", installed / CONFIGURATION, "-t").stdout
    sysusers = (installed / "usr/lib/sysusers.d/mygrpcadapter.conf").read_text()
    assert re.search(rf'^u {user} - ".*" {path}$', sysusers, flags=re.MULTILINE)
