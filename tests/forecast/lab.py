"""A made-up lab: sealed forecasts, their scores, and a ledger of them, as far as a ledger looks at runs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from presage.core.config import Config, Parent
from presage.core.files import digest_of as files_digest
from presage.core.run import RunDir, file_digests
from presage.forecast import ledger as ledgers
from presage.forecast.seal import seal_digest


class Promise(Config):
    target_run: str = "../target"


class Target(Config):
    seed: int = 0


class Outcome(Config):
    forecast: Parent
    target: Parent


def sealed(folder: Path, point: float = 2.0, **changes: Any) -> RunDir:
    """A run of stage seal, as far as a ledger looks at it."""
    forecast: dict[str, Any] = {"metric": "val/bpb", "unit": "bits/byte", "point": point, "level": 0.9}
    forecast |= {"lo": 0.95 * point, "hi": 1.05 * point, "extrapolation": 30.0, "target": {"compute": 4e14}} | changes
    with RunDir.create(folder / "forecast", "seal", Promise()) as run:
        run.write_json("forecast.json", forecast | {"seal": seal_digest(forecast)})
        run.finish()
    return run


def scored(folder: Path, actual: float, name: str = "score", abilities: dict[str, float] | None = None) -> RunDir:
    """Its target, if there is none yet, and a run of stage score."""
    forecast = RunDir(folder / "forecast").read_json("forecast.json")
    if not (folder / "target").exists():
        with RunDir.create(folder / "target", "pretrain", Target()) as target:
            target.finish()
    with RunDir.create(folder / name, "score", Outcome(forecast=folder / "forecast", target=folder / "target")) as run:
        run.result("promised", forecast["point"], lo=forecast["lo"], hi=forecast["hi"], level=forecast["level"])
        run.result("actual", actual)
        run.result("seal", forecast["seal"])
        for bucket, value in (abilities or {}).items():
            run.result(f"capability/{bucket}/actual", value)
        run.finish()
    return run


def capability(point: float) -> dict[str, Any]:
    laws = [{"bucket": bucket, "value": point, "lo": 0.8 * point, "hi": 1.2 * point} for bucket in ("all", "hard")]
    return {"laws": [law | {"unit": "nats", "level": 0.8} for law in laws]}


def make_ledger(root: Path) -> Path:
    """Three forecasts: one that held, one that missed, one that waits; five entries."""
    for number, actual in enumerate([2.02, 4.5, None], 1):
        run = sealed(root / f"f{number}", point=2.0 * number)
        ledgers.append_seal(root / "ledger.jsonl", run.path, f"seed {number}")
        if actual:
            ledgers.append_score(root / "ledger.jsonl", scored(root / f"f{number}", actual).path)
    return root / "ledger.jsonl"


def digest_of(entry: dict[str, Any]) -> str:
    """As anybody would compute it."""
    body = {key: value for key, value in entry.items() if key != "digest"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def lines(ledger: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ledger.read_text().splitlines()]


def write(ledger: Path, entries: list[dict[str, Any]]) -> None:
    ledger.write_text("".join(json.dumps(e, sort_keys=True, separators=(",", ":")) + "\n" for e in entries))


def relinked(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a patient forger makes: numbers and digests put right from first to last."""
    previous = ledgers.GENESIS
    for number, entry in enumerate(entries, 1):
        entry |= {"number": number, "previous": previous}
        entry["digest"] = previous = digest_of(entry)
    return entries


def make_whole(run: Path) -> None:
    """DONE as presage would write it for the files that are there now."""
    done = json.loads((run / "DONE").read_text())
    files = dict(sorted(file_digests(run)))
    RunDir(run).write_json("DONE", done | {"digest": files_digest(files), "files": files})
