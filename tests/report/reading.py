"""Reading a report as a stranger does: the page as a tree, facts.csv, and the files that it says it was read from."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from presage.core.run import RunDir

VOID = {"meta", "br", "link", "img", "input", "hr"}
# names that have a digit in them and are no measurement
NAMES = re.compile(r"GPT-[234]|Figure [1258]|6ND|UTF-8|sha256")
FACTORS = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "µ": 1e-6, "n": 1e-9, "p": 1e-12, "%": 1e-2}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    parent: Element | None = None
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def above(self) -> list[Element]:
        return [self, *(self.parent.above() if self.parent else [])]

    def within(self, *classes: str) -> bool:
        return any(set(classes) & set(e.attributes.get("class", "").split()) for e in self.above())


class Page(html.parser.HTMLParser):
    """A strict little tree: a tag that closes another than the open one is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = self.at = Element("root", {})
        self.all: list[Element] = []
        self.feed(text)
        assert self.at is self.root, f"<{self.at.tag}> is never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {k: v or "" for k, v in attrs}, self.at)
        self.at.children.append(element)
        self.all.append(element)
        self.at = self.at if tag in VOID else element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.at = self.at.parent or self.at if tag not in VOID else self.at

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.at.tag, f"</{tag}> closes <{self.at.tag}>"
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        self.at.text += data


def listed(run: RunDir) -> list[dict[str, str]]:
    with open(run.path / "facts.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def stored(path: Path, key: str) -> Any:
    """An independent reading of run/file#key, sharing no code with the report."""
    if " / 2" in key:
        a, b = key.removeprefix("(").removesuffix(") / 2").split(" - ")
        return (stored(path, a) - stored(path, b)) / 2
    if " / " in key:
        a, b = key.split(" / ")
        return stored(path, a) / stored(path, b)
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".jsonl", ".csv"):
        row, _, column = key.partition(".")
        if path.suffix == ".csv":
            return list(csv.DictReader(io.StringIO(text)))[int(row)][column]
        here, key = json.loads(text.splitlines()[int(row)]), column
    else:
        here = json.loads(text)
    while key:
        names = here if isinstance(here, dict) else map(str, range(len(here)))
        part = max((name for name in names if f"{key}.".startswith(f"{name}.")), key=len)  # a name may have dots
        here, key = here[int(part) if isinstance(here, list) else part], key[len(part) + 1 :]
    return here


def number_in(shown: str) -> tuple[float, float] | None:
    """(value, half a unit of the last digit) of what is shown; None when it is no plain number."""
    text = shown.replace(",", "").replace("−", "-").removesuffix("×")
    text = re.sub(r" × 10(.*)", lambda m: "e" + m[1].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")), text)
    match = re.fullmatch(r"([-+]?\d+(?:\.(\d+))?)(e-?\d+)? ?([kMGTµnp%]?)(?:B|J|FLOP/s)?", text)
    if match is None:
        return None
    scale = float("1" + (match[3] or "")) * FACTORS.get(match[4], 1.0)
    return float(match[1]) * scale, 0.5000001 * 10.0 ** -len(match[2] or "") * scale
