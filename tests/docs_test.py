"""Keeps the documents' links: what they point to is there, headings too."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data_pipelines").rglob("*.md")]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    """Returns the anchors that GitHub makes of a document's headings."""
    prose = re.sub(r"(?ms)^```.*?^```", "", text)
    headings = re.findall(r"(?m)^#+ +(.*)$", prose)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def broken_links(path: pathlib.Path, text: str) -> list[str]:
    """Lists the links to files that are not there, and to headings that their files lack."""
    broken = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        if not target.exists():
            broken.append(f"{path}: {link}: no such file")
        elif anchor and anchor not in anchors(text if target == path else target.read_text()):
            broken.append(f"{path}: {link}: no such heading")
    return broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    assert broken_links(path, path.read_text()) == []


def test_a_broken_link_is_found(tmp_path):
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    other.write_text("# A heading, with `--flag`\n")
    page.write_text("# Here\n[a](other.md#a-heading-with---flag) [b](#here) [c](https://example.org/x) [d](other.md)\n")
    assert broken_links(page, page.read_text()) == []
    page.write_text("[a](none.md) [b](other.md#nothing) [c](#nowhere)\n")
    assert len(broken_links(page, page.read_text())) == 3


def test_the_map_stays_a_map():
    assert len((ROOT / "WORKSPACE.md").read_text().splitlines()) < 200
