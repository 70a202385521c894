"""Prompts that a run is known to have done well on: solved, told right, or at least gone on with.

They are read from its own samples and from the runs beside it that examined it. None is made up: a prompt that is
offered was once given to this very model, and what is said of it is what was recorded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from presage.core.errors import PresageError
from presage.core.run import RunDir
from presage.data.images.parts import Picture

EACH = 2
"""Of one kind."""
MOST = 6
LONGEST = 1000
LARGEST_IMAGE = 1 << 20
SHORT, LONG = 48, 64
"""New tokens, of a solution and of a text gone on with."""
Row = dict[str, Any]


def prompts(run: RunDir) -> list[Row]:
    """{text, mode, about, max_tokens, stop, images} of each, the best proven first."""
    parts = [_examined(run), _safely(_own(run))]
    found = [one for part in (parts if run.stage == "pretrain" else parts[::-1]) for one in part]
    return [one for one in found if len(one["text"]) <= LONGEST][:MOST]


def _prompt(text: str, mode: str, about: str, most: int, *, stop: Any = (), images: Any = ()) -> Row:
    return {
        "text": text,
        "mode": mode,
        "about": about,
        "max_tokens": most,
        "stop": [one for one in stop if "<|" not in one][:4],
        "images": list(images),
    }


# ---- runs beside it that examined it -----------------------------------------------------------------------------


def _examined(run: RunDir) -> list[Row]:
    found: list[Row] = []
    for place in sorted(run.path.resolve().parent.iterdir()) if run.done else ():
        if place != run.path.resolve() and (place / "samples.jsonl").is_file() and (place / "DONE").is_file():
            found += _safely(_of(RunDir(place), run.digest))
    return found


def _of(beside: RunDir, digest: str) -> Iterator[Row]:
    parents = beside.origin.get("parents", {})
    roles = {role for role, known in parents.items() if known.get("digest") == digest}
    if beside.stage == "eval" and "run" in roles:
        yield from islice(filter(None, map(_solved, beside.rows("samples.jsonl"))), EACH)
    elif beside.stage == "sight" and roles:
        most = beside.read_object("config.json", config=dict)["config"].get("max_tokens", LONG)
        yield from islice(filter(None, (_seen(beside.path, row, most) for row in beside.rows("samples.jsonl"))), EACH)


def _solved(row: Row) -> Row | None:
    """A text that was written and right, each time where it was drawn several times."""
    asked = [one for one in row.get("asked", ()) if one.get("kind") == "generate"]
    passed = row.get("extra", {}).get("passed", [True])
    if not asked or row["options"] or not all(passed) or max(row["scores"].values()) < 1 or not row["prompt"].strip():
        return None
    decoding = asked[0]["request"]["decoding"]
    about = f"{row['declared']}: it got this right"
    return _prompt(row["prompt"], "continue", about, min(SHORT, decoding["max_tokens"]), stop=decoding["stops"])


def _seen(folder: Path, row: Row, most: int) -> Row | None:
    """A question about an image that was answered right with it, and not without."""
    scores = list(row["scores"].values())
    if not scores or scores[0] < 1 or any(one >= 1 for one in scores[1:]) or not row.get("image"):
        return None
    path = folder / row["image"]
    if not path.resolve().is_relative_to(folder.resolve()) or path.stat().st_size > LARGEST_IMAGE:
        return None
    image = Picture(path.read_bytes()).url
    return _prompt(row["prompt"], "chat", "it saw this right, and not without the image", most, images=[image])


# ---- its own samples ---------------------------------------------------------------------------------------------


def _own(run: RunDir) -> Iterator[Row]:
    rows = [row for row in run.rows("samples.jsonl") if isinstance(row.get("prompt"), str) and row["prompt"].strip()]
    told = {"sft": _told, "rl": _rewarded, "pretrain": _continued}.get(run.stage)
    known = dict.fromkeys(row["prompt"] for row in rows)
    latest = [{row["prompt"]: row for row in rows}[prompt] for prompt in known]
    yield from islice(filter(None, map(told, latest)), EACH if run.stage == "pretrain" else 2 * EACH) if told else ()


def _told(row: Row) -> Row | None:
    same = str(row["completion"]).strip() == str(row["shown"]).strip()
    return _prompt(row["prompt"], "chat", "held out; it answered as was shown", LONG) if same else None


def _rewarded(row: Row) -> Row | None:
    fit = (row["kind"], row["class"]) in {("allowed", "answer"), ("disallowed", "refusal")}
    about = {"allowed": "it answered, and was rewarded", "disallowed": "it refused, as it should"}
    return _prompt(row["prompt"], "chat", about[row["kind"]], LONG) if fit and row["reward"] > 0 else None


def _continued(row: Row) -> Row | None:
    return _prompt(row["prompt"], "continue", "the beginning of a held-out text", LONG)


def _safely(found: Iterator[Row]) -> list[Row]:
    """What there is before anything that cannot be read: these are offers, and the page does without."""
    kept: list[Row] = []
    with contextlib.suppress(PresageError, OSError, KeyError, TypeError, ValueError, IndexError, AttributeError):
        kept.extend(found)
    return kept
