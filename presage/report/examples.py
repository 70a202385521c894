"""A page to browse an eval run's examples in, of one model or of two side by side: one file that loads nothing.

What a model wrote is only ever text: it travels compressed and in base64, and the page's script puts it in as text
nodes. A content policy names the digests of the page's own script and style; nothing else runs or is fetched.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from presage.core.errors import CorruptError, DataError
from presage.core.files import atomic_write, prepare_new
from presage.core.run import RunDir, sha256
from presage.report.svg import theme_css

TEMPLATES = Path(__file__).parent / "templates"
SAMPLES = "samples.jsonl"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FLAGGED, CLEAN, UNTESTABLE = "flagged", "clean", "untestable"
VERDICTS = "artifacts/contamination.json"
STATUS = {True: FLAGGED, False: CLEAN} | {word: word for word in (FLAGGED, CLEAN, UNTESTABLE)}


def write(
    run: Path,
    out: Path,
    *,
    other: Path | None = None,
    labels: Mapping[str, str] = MappingProxyType({}),
    contamination: Path | None = None,
    title: str = "Examples",
) -> None:
    """Write the page on a finished eval run to the file `out`; with `other`, on both, example by example.

    labels: {task in the other: in the run} where it is called otherwise.
    contamination: a run that looked for the examples in the training text; by default what the eval run itself found
    there. Raises RunError or CorruptError for runs that are none, unfinished or
    changed, DataError for rows that are no samples or where there is something of that name.
    """
    prepare_new(out)
    first, second = RunDir.open(run, "eval"), None if other is None else RunDir.open(other, "eval")
    known = _verdicts(contamination) if contamination else _found(first)
    rows = {_key(row): _example(row, known) for row in _rows(first)}
    alone = [0, 0]
    if second is not None:
        alone = _beside(rows, [_example(_named(row, labels), known) for row in _rows(second)])
    data = {"runs": _apart([_described(one) for one in (first, second) if one]), "metrics": _metrics(first),
            "rows": list(rows.values()), "alone": alone}  # fmt: skip
    with atomic_write(out) as file:
        file.write(_page(title, data).encode())


# ---- reading --------------------------------------------------------------------------------------------------------


def _rows(run: RunDir) -> Iterator[dict[str, Any]]:
    path = run.path / SAMPLES
    if not path.is_file():
        raise DataError("has no samples.jsonl", where=run.path, hint="rows of examples, as the stage eval writes them")
    if run.read_json("DONE")["files"].get(SAMPLES) != sha256(path):
        raise CorruptError(
            "content differs from the run's DONE", where=path, hint="presage check names every such file"
        )
    for number, row in enumerate(run.rows(SAMPLES), 1):
        missing = next((key for key in ("task", "id", "scores") if key not in row), None)
        if missing:
            raise DataError(f"no key '{missing}'", where=f"{path}:{number}")
        yield row


def _described(run: RunDir) -> dict[str, Any]:
    model = run.results().get("model", {}).get("value") or run.read_json("config.json")["config"].get("model")
    return {"name": _short(model) or run.path.name, "digest": run.digest}


def _apart(described: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Models of one name as the command line calls them, A and B."""
    names = [one["name"] for one in described]
    if len(set(names)) == len(names):
        return [dict(one) for one in described]
    return [{**one, "name": f"{letter}: {one['name']}"} for letter, one in zip("AB", described, strict=True)]


def _short(model: Any) -> str:
    """A model's name without its folders: no path of a machine goes into a page."""
    return re.split(r"[\\/]", model.rstrip("/"))[-1] if isinstance(model, str) else ""


def _metrics(run: RunDir) -> dict[str, dict[str, Any]]:
    """{task: its first metric, which is the one to quote, and which way is better}."""
    table = run.read_table("tasks") if (run.path / "tables/tasks.csv").is_file() else []
    return {row["task"]: {"metric": row["metric"], "better": row.get("better", "higher")} for row in reversed(table)}


def _found(run: RunDir) -> dict[str, dict[str, str]]:
    """{task: {example: "flagged", "clean" or "untestable"}} of the run itself; empty where it looked nowhere."""
    verdicts = run.read_json(VERDICTS) if (run.path / VERDICTS).is_file() else {}
    return dict(verdicts)


def _verdicts(path: Path) -> dict[str, dict[str, str]]:
    """The same of a contamination run, by any method."""
    found: dict[str, dict[str, str]] = {}
    for row in RunDir.open(path, "contamination").read_table("items"):
        said = set(row.values())
        verdict = next((word for word in (FLAGGED, CLEAN) if word in said), UNTESTABLE)
        found.setdefault(row["set"], {})[row["item"]] = verdict
    return found


# ---- one example ----------------------------------------------------------------------------------------------------


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["task"]), str(row["id"])


def _named(row: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    return {**row, "task": labels.get(row["task"], row["task"])}


def _example(row: Mapping[str, Any], known: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """What the page shows of a row; keys whose values are empty are left out."""
    shown = {name: row.get(name) for name in ("task", "id", "category", "group", "prompt", "gold")}
    return _full(shown | {"flag": _flag(row, known), "answers": [_answer(row)]})


def _answer(row: Mapping[str, Any]) -> dict[str, Any]:
    extra, asked = row.get("extra") or {}, row.get("asked") or []
    answer, probabilities = str(row.get("answer") or ""), extra.get("probabilities")
    written = [text for one in asked for text in _texts(one.get("answer")) if text.strip() != answer.strip()]
    return _full({
        "answer": answer,
        "scores": row["scores"],
        "probabilities": probabilities,
        "options": _options(row, asked, len(probabilities)) if probabilities else None,
        "picked": extra.get("picked"),
        "invalid": bool(extra.get("invalid")),
        "truncated": bool(extra.get("truncated")),
        "written": written,
        "kinds": ", ".join(dict.fromkeys(str(one.get("kind", "")) for one in asked)),
        "prompt_sha256": str(row.get("prompt_sha256", ""))[:16],
    })  # fmt: skip


def _full(entry: dict[str, Any]) -> dict[str, Any]:
    """Without what says nothing; a number always does, also 0."""
    return {k: v for k, v in entry.items() if v or (isinstance(v, int | float) and not isinstance(v, bool))}


def _flag(row: Mapping[str, Any], known: Mapping[str, Mapping[str, str]]) -> str | None:
    """What the row itself says, else the scan of its task, else that of the only set."""
    said = row.get("contaminated", (row.get("extra") or {}).get("contaminated"))
    only = next(iter(known.values())) if len(known) == 1 else {}
    by_scan = known.get(str(row["task"]), only).get(str(row["id"]))
    return STATUS.get(said, by_scan) if isinstance(said, bool | str) else by_scan


def _options(row: Mapping[str, Any], asked: Sequence[Mapping[str, Any]], count: int) -> list[str]:
    """The options' texts: those whose likelihood was asked; of letters, the line of the prompt that has the letter."""
    if row.get("options"):
        return [str(text) for text in row["options"]]
    texts = [str(one.get("request", {}).get("text", "")).strip() for one in asked if "text" in one.get("request", {})]
    texts = texts[:count] if len(texts) >= count else list(LETTERS[:count])
    return [_line_of(text, str(row.get("prompt", ""))) if len(text) == 1 else text for text in texts]


def _line_of(letter: str, prompt: str) -> str:
    lines = re.findall(rf"^{re.escape(letter)}[.)] (.+)$", prompt, re.MULTILINE)
    return f"{letter}. {lines[-1]}" if lines else letter


def _texts(answer: Any) -> Iterator[str]:
    """Every text that a model wrote in an answer, however deep it stands."""
    if isinstance(answer, dict):
        own = answer.get("text")
        if isinstance(own, str) and own:
            yield own
        yield from (text for name, part in answer.items() if name != "text" for text in _texts(part))
    elif isinstance(answer, list):
        yield from (text for part in answer for text in _texts(part))


def _beside(rows: dict[tuple[str, str], dict[str, Any]], others: Sequence[dict[str, Any]]) -> list[int]:
    """Put the second model's answers beside the first's, and its prompt where that is another one.

    Returns how many examples only the first has, and only the second: these are left out.
    """
    theirs = {_key(row): row for row in others}
    alone = [len(rows.keys() - theirs.keys()), len(theirs.keys() - rows.keys())]
    for key in [key for key in rows if key not in theirs]:
        del rows[key]
    if not rows:
        raise DataError("no example in common", where="the two runs", hint="runs of the same tasks")
    for key, row in rows.items():
        other = theirs[key]
        row["answers"] += other["answers"]
        if other.get("prompt") != row.get("prompt"):
            row["other_prompt"] = other.get("prompt", "")
    return alone


# ---- the page -------------------------------------------------------------------------------------------------------


def _page(title: str, data: Mapping[str, Any]) -> str:
    import jinja2
    import markupsafe

    script = (TEMPLATES / "examples.js").read_text(encoding="utf-8")
    style = _style()
    packed = gzip.compress(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(), 9, mtime=0)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    policy = (
        f"default-src 'none'; script-src {_named_by(script)}; style-src {_named_by(style)}; base-uri 'none'; "
        "form-action 'none'"
    )
    return environment.get_template("examples.html").render(
        title=title,
        policy=policy,
        style=markupsafe.Markup(style),
        script=markupsafe.Markup(script),
        data=markupsafe.Markup(base64.b64encode(packed).decode()),
        two=len(data["runs"]) > 1,
    )


def _named_by(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _style() -> str:
    dark = theme_css(":root:not([data-theme=light])", dark=True)
    themes = (
        theme_css(":root")
        + f"@media (prefers-color-scheme:dark){{{dark}}}"
        + theme_css(":root[data-theme=dark]", dark=True)
    )
    return themes + (TEMPLATES / "examples.css").read_text(encoding="utf-8")
