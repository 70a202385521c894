"""What a finished demo comes to, in three lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from presage.core.run import RunDir

CONDUCT = "conduct"
ASSISTANT = "ppo"
SAID = {"refusal on disallowed": "refuses {} of what is disallowed", "refusal on safe": "{} of what is safe",
        "task pass rate": "does {} of what is asked"}  # fmt: skip


def told(score: Path, conduct: Path | None, sights: Mapping[str, Path] = MappingProxyType({})) -> Iterator[str]:
    """Promise and outcome; what the assistant does and what a model sees, {task: its run}, where there is one."""
    found = RunDir.open(score, "score").results()
    promised = found["promised"]
    where = "inside" if found["inside"]["value"] else "outside"
    yield (
        f"promised {promised['value']:.3f} ({promised['lo']:.3f} to {promised['hi']:.3f}), came out at "
        f"{found['actual']['value']:.3f} {promised['unit']}: {where}"
    )
    if conduct is not None:
        found = RunDir.open(conduct, CONDUCT).results()
        shares = {words: found.get(f"{ASSISTANT}/{key}", {}).get("value") for key, words in SAID.items()}
        said = [words.format(f"{100 * share:.1f} %") for words, share in shares.items() if share is not None]
        yield f"the assistant {', '.join(said)}"
    if sights:
        yield f"right with the images, and without: {', '.join(_seen(task, run) for task, run in sights.items())}"


def _seen(task: str, run: Path) -> str:
    found = RunDir.open(run, "sight").results()
    shares = [100 * found[f"accuracy/{condition}"]["value"] for condition in ("vision", "no-vision")]
    return "{} {:.1f} % and {:.1f} %".format(task, *shares)
