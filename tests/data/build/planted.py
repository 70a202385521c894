"""A corpus with every rule on and a document planted for each of them.

`books` is the classifier's reference, `crawl` what it filters, `notes` holds what is planted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from presage.data import corpus
from tests.data.build.made import crawled, prose, source, words, write

FRENCH = (
    "Le vieux pêcheur regardait la mer depuis la fenêtre de sa maison, et il pensait aux bateaux qui partaient chaque "
    "matin vers les îles. Sa femme préparait le déjeuner dans la cuisine pendant que les enfants jouaient au jardin.\n"
)
COMMON = "it is often said in this country that nothing good comes of haste today"
"""An item of 13 words and more that stands in 11 documents: a common phrase."""
RARE = "how many barrels of salted herring did seven merchants carry over the frozen lake"
TENFOLD = "which of these three brothers inherited nothing but the blind horse and a bell"
"""An item that stands in 10 documents: still no common phrase."""
ASKED = [f"in what year did king number {n} of the far islands lose his crown at sea {n}" for n in range(12)]
UNTESTABLE = "who was it"
INSULTS = words(
    "vermin traitor coward liar thief parasite savage brute wretch villain scoundrel bully tyrant fiend rogue swindler"
)
NOTICE = "\n".join(prose("notice", 4).splitlines())
"""A paragraph that stands in several documents."""


def toxic(seed: object) -> str:
    return prose(f"toxic {seed}", nouns=INSULTS)


def with_inside(seed: object, text: str, sentences: int = 24) -> str:
    """Prose with a line in its middle."""
    lines = prose(seed, sentences).splitlines()
    return "\n".join([*lines[: sentences // 2], text.capitalize() + ".", *lines[sentences // 2 :]]) + "\n"


LEAVES = {
    "short.txt": ("too_short", "No."),
    "french.txt": ("language", FRENCH * 3),
    "few.txt": ("gopher_words", "\n".join(prose("few", 2).splitlines())),
    "symbols.txt": ("gopher_hashes", prose("symbols").replace(" that ", " that ### # ")),
    "repeated.txt": ("gopher_duplicate_lines", prose("repeated", 2) * 6),
    "code.txt": ("c4_curly_bracket", prose("code") + "Then {x} came.\n"),
    "latin.txt": ("c4_lorem_ipsum", prose("latin") + "And lorem ipsum dolor came.\n"),
    "unpunctuated.txt": ("c4_sentences", prose("unpunctuated").replace(".", "")),
    "listed.txt": ("blocklist", prose("listed") + "The bullshit of that asshole was more bullshit.\n"),
    "toxic.txt": ("toxicity", toxic("planted")),
    "spaced.txt": ("exact_copies", prose("note 0").replace("\n", "\n\n").replace(" and", "  and")),
    "near.txt": ("near_copies", prose("note 1").replace("The ", "A ", 1)),
    "book.txt": ("exact_copies", prose("book 3")),
    "notice.txt": ("emptied", NOTICE),
    "pieces.txt": ("contaminated", "".join(with_inside(f"pieces {n}", item, 12) for n, item in enumerate(ASKED))),
}
"""What is planted among the notes: (the rule that removes it, its text)."""

GOOD = {f"a{n:02d}.txt": prose(f"note {n}") for n in range(40)}
GOOD |= {f"common{n:02d}.txt": with_inside(f"common {n}", COMMON) for n in range(11)}

CHANGED = {
    "mail.txt": (
        prose("mail") + "Write to jane.doe@mailhouse.org about that.\n",
        prose("mail") + "Write to <EMAIL> about that.\n",
    ),
    "signs.txt": (prose("signs").replace(" a ", "\u00a0a\u200b ").replace("\n", "\r\n"), prose("signs")),
    "carrier.txt": (prose("carrier") + "\n" + NOTICE, prose("carrier") + "\n" + NOTICE),
    "second.txt": (prose("second") + "\n" + NOTICE, prose("second").rstrip()),
}
"""(as it is read, as it is kept) of documents that stay."""

CUT = {"long.txt": with_inside("long", RARE, 60)}
CUT |= {f"ten{n}.txt": with_inside(f"ten {n}", TENFOLD, 40) for n in range(10)}
"""Documents that evaluation items are cut out of."""


def everything(folder: Path, **keys: Any) -> corpus.Config:
    """All rules on. `second.txt` comes after `carrier.txt`, whose notice is therefore the one that is kept."""
    notes = {name: text for name, (_, text) in LEAVES.items()} | GOOD | CUT
    notes |= {name: read for name, (read, _) in CHANGED.items()}
    sources = (
        source(folder / "books", {f"{n}.txt": prose(f"book {n}") for n in range(60)}),
        source(folder / "crawl", {f"{n}.txt": crawled(n) for n in range(60)}),
        source(folder / "notes", notes, unique_paragraphs=True),
    )
    given = write(
        folder / "given",
        {
            "toxic.jsonl": rows(toxic(n) for n in range(40)),
            "other.jsonl": rows(prose(f"harmless {n}") for n in range(40)),
            "items.jsonl": rows([COMMON, RARE, TENFOLD, *ASKED, UNTESTABLE]),
        },
    )
    rules = {
        "normalise": True,
        "languages": ["en"],
        "heuristics": ["gopher", "gopher_repetition", "c4", "fineweb"],
        "quality": {"reference": ["books"], "raw": ["crawl"]},
        "toxicity": {"toxic": str(given / "toxic.jsonl"), "other": str(given / "other.jsonl")},
        "privacy": ["all"],
    }
    return corpus.Config.parse(
        {
            "sources": [one.model_dump() for one in sources],
            "rules": rules,
            "decontaminate": {"items": [str(given / "items.jsonl")]},
            "allowed": {"quality": 1},
            "val_fraction": 0.02,
            **keys,
        }
    )


def rows(texts: Iterable[str]) -> str:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts)
