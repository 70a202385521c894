"""The documentation as pages: every page has its place, every link leads somewhere, nothing is fetched."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.imports import ROOT

FETCHES = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


class Page(HTMLParser):
    """What a page fetches, what it links to, and where it can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.places |= {named[key] for key in ("id", "name") if key in named}
        if tag in FETCHES and FETCHES[tag] in named:
            self.fetched.append(named[FETCHES[tag]])
        if tag == "a" and "href" in named:
            self.links.append(named["href"])


def write(*arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/pages.py", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    done = write(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(folder / "site" / "index.html")
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_document_is_a_page(site: Path) -> None:
    names = [path.relative_to(ROOT).with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    assert [name for name in names if not (site / name).is_file()] == []
    start = Page((site / "index.html").read_text(encoding="utf-8"))
    for name in ("docs/cli.html", "docs/api.html", "docs/LOG.html", "benchmarks/index.html", "README.zh-CN.html"):
        assert name in start.links


def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    """Opened from a disk, a page finds all it shows beside it."""
    for path, page in pages.items():
        for fetched in page.fetched:
            assert not urlsplit(fetched).netloc and (path.parent / urlsplit(fetched).path).is_file(), (path, fetched)
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\(['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style


def test_every_link_between_pages_leads_to_its_place(pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.netloc or parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path}: {link}"
            if parts.fragment and target in pages and target.suffix == ".html":
                assert unquote(parts.fragment) in pages[target].places, f"{path}: {link}"


def test_what_is_wrong_stops_the_build(tmp_path: Path) -> None:
    """A link to nowhere, an anchor that is not there, a page without a place."""
    for name in ("README.md", "README.zh-CN.md", "CHANGELOG.md", "benchmarks/README.md", "docs/lost.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("# a\n\n[b](nowhere.md) [c](#nothing)\n")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    head = settings.split("\nnav:\n  -")[0]
    (tmp_path / "mkdocs.yml").write_text(f"{head}\nnav:\n  - Start: README.md\n")
    done = write(tmp_path / "out", tmp_path)
    assert done.returncode == 1
    assert all(word in done.stderr for word in ("nowhere.md", "#nothing", "docs/lost.md"))
