"""The report stage: reads the run directories of one chain and writes report.html, report.md, facts.csv and figures.

It computes nothing. Every value is a Fact with its run, file, key and digest; what is not there prints as missing.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.files import atomic_write
from presage.core.run import RunDir
from presage.report import blocks, facts, kinds, sections, svg

__all__ = ["Config", "run"]

TEMPLATES = Path(__file__).parent / "templates"
STAGES = {
    "corpus": "corpus",
    "tokenizer": "tokenizer",
    "shards": "shards",
    "images": "images",
    "ladder": "ladder",
    "forecast": "seal",
    "target": kinds.TEXT.stage,
    "score": "score",
    "attempts": "attempts",
    "target_attempts": "attempts",
    "record": "record",
    "planned": "plan",
    "collapse": "collapse",
    "contamination": "contamination",
    "scores": "scores",
    "memorisation": "memorisation",
    "examination": "eval",
    "scaling": "eval-ladder",
    "sft": "sft",
    "reward": "reward",
    "policy": "rl",
    "policy_alone": "rl",
    "policy_no_text": "rl",
    "conduct": "conduct",
    "tax_base": "eval",
    "tax_sft": "eval",
    "tax_policy": "eval",
    "tax_policy_alone": "eval",
    "tax_policy_no_text": "eval",
    "vision": "vision",
    "sights": "sight",
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PDF_SECONDS = 90


class Config(BaseConfig):
    """A report on the runs of one chain; one that is not given prints as missing."""

    corpus: Parent | None = None
    tokenizer: Parent | None = None
    shards: Parent | None = None
    images: tuple[Parent, ...] = ()
    """What the chain reads in the place of these three where it is one of images. With a corpus or shards beside them:
    those of its base, or of the text among its rows."""
    ladder: Parent | None = None
    forecast: Parent | None = None
    target: Parent | None = None
    score: Parent | None = None
    attempts: Parent | None = None
    """The ladder's attempts at problems, where the forecast promises a capability."""
    target_attempts: Parent | None = None
    """The target's."""
    record: Parent | None = None
    """What the ledger holds. This one and those below have no place in a report that is not given them."""
    planned: Parent | None = None
    """The next run, and what to buy first."""
    collapse: Parent | None = None
    """The rungs' learning curves, compared."""
    contamination: Parent | None = None
    """Which evaluation items stand in the corpus."""
    scores: Parent | None = None
    """Scores of such items, joined with that."""
    memorisation: Parent | None = None
    """How much of what the target writes stands in its training text."""
    examination: Parent | None = None
    """What a model scored on tasks. Given without any run of a chain, the report is on that model alone."""
    scaling: Parent | None = None
    """The same tasks asked of every rung of a ladder."""
    sft: Parent | None = None
    """A model fine-tuned on demonstrations. This one and those below are told of where `conduct` is given."""
    reward: Parent | None = None
    """The reward model."""
    policy: Parent | None = None
    """What reinforcement learning made of it, with rules and pretraining gradients."""
    policy_alone: Parent | None = None
    """The same without rules."""
    policy_no_text: Parent | None = None
    """The same without pretraining gradients."""
    conduct: Parent | None = None
    """How these conduct themselves on the same held-out requests."""
    tax_base: Parent | None = None
    """The base model's own tasks, asked of it, and below of what was made of it."""
    tax_sft: Parent | None = None
    tax_policy: Parent | None = None
    tax_policy_alone: Parent | None = None
    tax_policy_no_text: Parent | None = None
    vision: Parent | None = None
    """A model that was taught to see. Told of where `sights` are given."""
    sights: tuple[Parent, ...] = ()
    """What a model says to questions about images, a run each."""
    title: str = "A loss, foretold"
    pdf: bool = True
    """Also report.pdf, where a Chromium is on PATH."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """Write the report on the runs of `config` into `out`.

    Raises RunError for a parent that is unfinished or of another stage and for a chain of which some runs are of text
    and others of images, CorruptError for a file that is not the one its run was finished with.
    """
    parents = config.parents()
    for role, path in parents.items():
        RunDir.open(path, _stage(role, path))
    sources = facts.Sources(dict(parents))
    kinds.check_one_kind(sources)
    directory = RunDir.create(out, "report", config, resume=resume)
    try:
        _write(config, sources, directory)
    except BaseException:
        directory.close()
        raise
    directory.finish()
    return directory


def _stage(role: str, path: Path) -> str:
    """What a run has to be: a target either reads text or sees."""
    sees = role == "target" and RunDir.open(path).stage == kinds.IMAGES.stage
    return kinds.IMAGES.stage if sees else STAGES[role.partition(".")[0]]


def _write(config: Config, sources: facts.Sources, out: RunDir) -> None:
    seals = sections.seals(sources)
    write_page(out, "report", config.title, sections.headline(sources), sections.sections(sources), seals)
    _pdf(config, out)


def write_page(
    out: RunDir,
    name: str,
    title: str,
    headline: blocks.Text,
    parts: list[blocks.Section],
    seals: list[tuple[str, facts.Fact]],
) -> None:
    """NAME.html, NAME.md, facts.csv and the figures; results say how many facts there are, and how many missing."""
    printed = blocks.printed([headline, *(fact for _, fact in seals), *parts])
    content: dict[str, Any] = {
        "title": title,
        "headline": headline,
        "sections": parts,
        "seals": seals,
        "alarm": _alarm(seals),
        "files": facts.files(printed),
    }
    html = _template("report.html").render(content, css=_css(), script=_text("script.js"))
    out.write_text(f"{name}.html", html)
    out.write_text(f"{name}.md", _template("report.md").render(content))
    out.write_text("facts.csv", facts.to_csv(printed))
    for figure in _figures(parts):
        out.write_text(figure.file, svg.standalone(figure.wide))
    for image in _images(parts):
        with atomic_write(out.artifact(image.name.removeprefix("artifacts/"))) as file:
            file.write(image.data)
    out.result("facts", len(printed))
    out.result("missing", sum(f.missing for f in printed))


def _alarm(seals: list[tuple[str, facts.Fact]]) -> str:
    found = {fact.value for _, fact in seals if not fact.missing}
    return "The seals below are not the same: this is not one honest run." if len(found) > 1 else ""


def _figures(parts: list[blocks.Section]) -> list[Any]:
    return [b.figure for part in parts for b in part.blocks if isinstance(b, blocks.Picture)]


def _images(parts: list[blocks.Section]) -> list[facts.Image]:
    galleries = [block for part in parts for block in part.blocks if isinstance(block, blocks.Gallery)]
    return [image for gallery in galleries for row in gallery.rows for image in row.images]


def _template(name: str) -> Any:
    import jinja2

    html = name.endswith(".html")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=html, undefined=jinja2.StrictUndefined
    )
    filters = {"origins": blocks.origins, "each_origin": blocks.each_origin, "markdown": blocks.markdown}
    environment.filters.update(filters)
    return environment.get_template(name)


def _css() -> Any:
    import markupsafe

    dark = svg.theme_css(":root:not([data-theme=light])", dark=True)
    themes = (
        svg.theme_css(":root")
        + f"@media screen and (prefers-color-scheme:dark){{{dark}}}"
        + "@media screen{" + svg.theme_css(":root[data-theme=dark]", dark=True) + "}"
    )  # fmt: skip
    return markupsafe.Markup(themes + svg.paint_css() + (TEMPLATES / "style.css").read_text(encoding="utf-8"))


def _text(name: str) -> Any:
    import markupsafe

    return markupsafe.Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _pdf(config: Config, out: RunDir) -> None:
    """report.pdf through Chromium; where there is none the log says so, and the page prints as well from a browser."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not config.pdf or browser is None:
        out.log("report.pdf not written: " + ("not asked for" if not config.pdf else "no Chromium on PATH"))
        return
    target = out.path / "report.pdf"
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
                   f"--user-data-dir={profile}", f"--print-to-pdf={target.resolve()}",
                   (out.path / "report.html").resolve().as_uri()]  # fmt: skip
        try:
            subprocess.run(command, capture_output=True, check=True, timeout=PDF_SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            target.unlink(missing_ok=True)
            out.log(f"report.pdf not written: {type(error).__name__} from {Path(browser).name}")
            return
    target.write_bytes(re.sub(rb"\(D:\d{14}", b"(D:20000101000000", target.read_bytes()))
    out.log("report.pdf written")
