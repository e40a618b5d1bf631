"""The documents for whoever works on the code name files that exist."""

import re

import pytest

from adapter import REPOSITORY

DOCUMENTS = ["CONTRIBUTING.md", "README.md", "SECURITY.md", "CHANGELOG.md", "docs/design.md"]
FOLDERS = ("admin", "base", "collector", "commands", "common", "debian", "docker", "docs", "etc", "manifests", "master",
           "proto", "segment", "tests", "worker")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_exist(document):
    """Each path between backticks that begins with a folder of the sources is there."""
    text = (REPOSITORY / document).read_text()
    named = set(re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`", text))
    assert sorted(path for path in named if not (REPOSITORY / path).exists()) == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    """Each link to a file of the repository leads to one, and to a heading of it if it names one."""
    text = (REPOSITORY / document).read_text()
    for target, anchor in re.findall(r"\]\(([^):#]*)(?:#([^)]*))?\)", text):
        path = (REPOSITORY / document).parent / target if target else REPOSITORY / document
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), flags=re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, (target, anchor)


def test_folders_are_told_of():
    """CONTRIBUTING.md has each folder of the sources, and each room in one."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    rooms = {str(path.parent.relative_to(REPOSITORY)) for folder in FOLDERS for pattern in ("*.c", "*.cc")
             for path in (REPOSITORY / folder).rglob(pattern) if folder != "tests"}
    assert sorted(room for room in rooms if f"`{room}/`" not in text) == []
