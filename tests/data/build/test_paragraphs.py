"""Paragraphs kept once in a corpus, against a twin that goes through the documents one after the other."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presage.core.errors import DataError
from presage.core.run import RunDir
from presage.data import corpus
from presage.data.build.judge import place
from tests.data.build.made import kept, prose, write

LONG = [" ".join(prose(n, 1).split()) for n in range(6)]
PIECES = st.sampled_from([*LONG, LONG[0].upper(), LONG[1].replace(" ", "  "), "short", "", "also short"])
DOCUMENTS = st.lists(st.lists(PIECES, min_size=1, max_size=6), min_size=2, max_size=12)
LEAST, FRACTION = 16, 0.3


def slow_twin(texts: dict[str, str], once: bool) -> tuple[list[dict[str, str]], int]:
    """({path: what is left} of both splits, paragraphs dropped): training text first, in the order of paths."""
    first: dict[str, str] = {}  # exact copies but for spacing go before anything else
    for path in sorted(texts):
        if len(texts[path].strip().encode()) >= LEAST:
            first.setdefault(" ".join(texts[path].split()), path)
    left = sorted(first.values())
    bound = max(FRACTION, min((place(path, 0) for path in left), default=0))
    held_out = {path for path in left if place(path, 0) <= bound}
    if held_out == set(left):
        held_out.remove(max(left, key=lambda path: place(path, 0)))
    seen: set[str] = set()
    train: dict[str, str] = {}
    val: dict[str, str] = {}
    dropped = 0
    for path in sorted(left, key=lambda path: (path in held_out, path)):
        parts = []
        for part in texts[path].split("\n\n"):
            folded = " ".join(part.split()).casefold()
            if once and len(part) >= 80 and folded in seen:
                dropped += 1
                continue
            parts.append(part)
            if len(part) >= 80:
                seen.add(folded)
        text = "\n\n".join(parts)
        if len(text.strip().encode()) >= LEAST:
            (val if path in held_out else train)[path] = text
    return [train, val], dropped


def run_on(folder: Path, texts: dict[str, str], once: bool) -> RunDir:
    write(folder / "in", {path.removeprefix("in/"): text for path, text in texts.items()})
    return corpus.run(
        corpus.Config(
            sources=(corpus.Source(name="mine", paths=(str(folder / "in"),), unique_paragraphs=once),),
            similar=None,
            val_fraction=FRACTION,
            stop_above=1,
        ),
        folder / "out",
    )


@settings(max_examples=25)
@given(DOCUMENTS, st.booleans())
def test_what_is_left_is_what_a_slow_twin_leaves(documents: list[list[str]], once: bool) -> None:
    # The last two are never empty and never alike, so that something is left.
    texts = {f"in/{n:02d}.txt": "\n\n".join(parts) for n, parts in enumerate(documents)}
    texts |= {f"in/{name}.txt": f"{name} has a line of its own, {name} alone." for name in ("x", "y")}
    with tempfile.TemporaryDirectory() as folder:
        (train, val), dropped = slow_twin(texts, once)
        if not train or not val:
            with pytest.raises(DataError, match=f"no document is left for the {'val' if train else 'train'} split"):
                run_on(Path(folder), texts, once)
            return
        run = run_on(Path(folder), texts, once)
        expected = train | val
        assert kept(run) == expected
        assert run.value("removed/paragraphs") == dropped
        (row,) = run.read_table("sources")
        gone = sum(int(row[f"removed/{rule}"]) for rule in ("too_short", "exact_copies", "emptied"))
        assert int(row["read/documents"]) == len(texts) == len(expected) + gone


def test_an_emptied_document_is_named(tmp_path: Path) -> None:
    texts = {f"in/{n}.txt": f"{n} {prose(n)}\n\n{LONG[0]}\n" for n in range(8)} | {"in/9.txt": f"{LONG[0]}\n\nyes"}
    run = run_on(tmp_path, texts, True)
    (sample,) = [row for row in run.read_table("removed_samples") if row["rule"] == "emptied"]
    assert (sample["path"], sample["why"], sample["excerpt"]) == ("in/9.txt", "nothing new left", "yes")
    assert run.value("removed/paragraphs") == 8
