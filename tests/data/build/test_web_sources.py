"""Pages and archives of the web as sources of the stage."""

from __future__ import annotations

import gzip
from pathlib import Path

from presage.core.run import RunDir
from presage.data import corpus
from presage.data.records import read_split
from tests.data.archives import http, record
from tests.data.build.made import prose, removed, source


def page(text: str) -> bytes:
    """HTML with a paragraph for each line, between what every page of a site has."""
    paragraphs = "".join(f"<p>{line}</p>" for line in text.splitlines())
    return (
        "<!DOCTYPE html><html><head><title>News</title><script>let x = {};</script></head><body>"
        "<nav><ul><li><a href='/'>Home</a></li><li><a href='/all'>All</a></li></ul></nav>"
        f"<main><article>{paragraphs}</article></main><footer>Imprint</footer></body></html>"
    ).encode()


def shown(text: str) -> str:
    return "\n\n".join(text.splitlines())


def conversion(text: str, address: str) -> bytes:
    return record(text.encode(), address, "conversion", extra="Content-Type: text/plain\r\n")


def captures(run: RunDir, split: str) -> list[tuple[str, str]]:
    return [(document.path, document.text) for document in read_split(run.path, split)]


def test_pages_and_archives_go_through_the_whole_stage(tmp_path: Path) -> None:
    captured = [record(http(page(prose(f"warc {n}"))), f"https://a.org/{n}") for n in range(10)]
    captured += [
        record(http(page(prose("page 3"))), "https://a.org/copy"),
        record(http(page(prose("few", 1))), "https://a.org/few"),
        record(http(page(prose("gone")), status="404 Not Found"), "https://a.org/gone"),
        record(http(b"<html></html>"), "https://a.org/nothing"),
        record(http(page(prose("warc 0") + prose("news"))), "https://a.org/0"),
    ]
    converted = [conversion(prose(f"wet {n}"), f"https://b.org/{n}") for n in range(10)]
    config = {
        "sources": [
            source(tmp_path / "pages", {f"{n}.html": page(prose(f"page {n}")) for n in range(10)}).model_dump(),
            source(
                tmp_path / "archives",
                {
                    "a.warc.gz": b"".join(map(gzip.compress, captured)),
                    "b.wet": b"".join(converted),
                    "c.warc": captured[0][:-40],
                },
            ).model_dump(),
        ],
        "rules": {"normalise": True, "languages": ["en"], "heuristics": ["gopher", "c4"]},
        "val_fraction": 0.2,
    }
    run = corpus.run(corpus.Config.parse(config), tmp_path / "out")
    documents = [document for split in ("train", "val") for document in captures(run, split)]
    texts = {text for _, text in documents}
    assert {shown(prose(f"{kind} {n}")) for kind in ("page", "warc") for n in range(10)} < texts
    assert {prose(f"wet {n}") for n in range(10)} < texts
    assert len(documents) == 31, "and the page that changed between two captures"
    assert removed(run) == {"https://a.org/copy": {"exact_copies"}, "https://a.org/few": {"gopher_words"}}
    bad = {row["file"]: row["reason"] for row in run.read_table("bad")}
    assert bad == {
        "archives/a.warc.gz": "a page without main text",
        "archives/c.warc": "damaged record: it ends early",
    }
    splits = [{path for path, _ in captures(run, split)} for split in ("train", "val")]
    assert splits[0].isdisjoint(splits[1]), "all captures of an address fall on one side"
