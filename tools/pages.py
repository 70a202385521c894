"""Write the documentation as pages: `python tools/pages.py FOLDER [CHECKOUT]`; the pages are in FOLDER/site.

The sources are copied as they lie in the checkout, with whatever else they link to, so that every link that works
there works in the pages; a link that leads nowhere, or a page that the navigation lacks, is an error.
"""

from __future__ import annotations

import logging
import posixpath
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("docs", "benchmarks/results")
PAGES = ("README.md", "README.zh-CN.md", "CHANGELOG.md", "benchmarks/README.md")
FOR_SERVERS = ("404.html", "sitemap.xml", "sitemap.xml.gz")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)|(?:src|href)=\"([^\"#:]+)\"")


def write(folder: Path, root: Path = ROOT) -> Path:
    """The pages below `folder`. Raises mkdocs' Abort for what is wrong with them, which it tells on standard error."""
    pages, site = folder / "pages", folder / "site"
    for place in (pages, site):
        shutil.rmtree(place, ignore_errors=True)
    for name in {*_sources(root), *_linked(root)}:
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, pages / name)
    build(load_config(str(root / "mkdocs.yml"), docs_dir=str(pages), site_dir=str(site)))
    for name in FOR_SERVERS:
        (site / name).unlink(missing_ok=True)
    return site


def _sources(root: Path) -> Iterator[str]:
    yield from PAGES
    for folder in FOLDERS:
        yield from (path.relative_to(root).as_posix() for path in (root / folder).rglob("*.md"))


def _linked(root: Path) -> Iterator[str]:
    """Files of the checkout that the sources link to."""
    for source in _sources(root):
        for found in LINK.finditer((root / source).read_text(encoding="utf-8")):
            name = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[1] or found[2]))
            if not name.startswith("..") and (root / name).is_file():
                yield name


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        print(write(*(Path(one).resolve() for one in sys.argv[1:])) / "index.html")
    except Abort as error:
        sys.exit(error.exit_code)
