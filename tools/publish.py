"""A copy of a forecast's folder that is small enough to publish, and still verifies.

    python tools/publish.py runs/distant docs/example-distant --without removed_samples.csv --without samples.jsonl

What is left out stands in OMITTED, and DONE has its digest: `presage forecast verify` holds without it.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from presage.core.run import RunDir
from presage.forecast.verify import LEDGER

LARGEST = 1_500_000
TEXTS = ".jsonl.zst"
"""Other people's."""


def main() -> None:
    """Publish one folder as another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tree", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", action="append", default=[], help="files of this name are left out too")
    options = parser.parse_args()
    publish(options.tree, options.out, options.without)


def publish(tree: Path, out: Path, without: Sequence[str] = ()) -> None:
    """Copy the ledger and every run below `tree` without weights, texts and large files; OMITTED lists those."""
    if not (tree / LEDGER).is_file() or (any(out.glob("*")) and not (out / LEDGER).is_file()):
        raise SystemExit(f"{tree} has no {LEDGER}, or {out} is something else than such a copy")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    shutil.copyfile(tree / LEDGER, out / LEDGER)
    for done in sorted(tree.rglob("DONE")):
        run = done.parent
        target = out / run.relative_to(tree)
        target.mkdir(parents=True, exist_ok=True)
        left_out = []
        for name in RunDir(run).read_json("DONE")["files"]:
            withheld = name.startswith("checkpoints/") or name.endswith(TEXTS) or Path(name).name in without
            if withheld or (run / name).stat().st_size > LARGEST:
                left_out.append(name)
                continue
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run / name, target / name)
        for name in ("DONE", "timing.jsonl"):
            if (run / name).is_file():
                shutil.copyfile(run / name, target / name)
        if left_out:
            (target / "OMITTED").write_text("".join(f"{name}\n" for name in left_out), encoding="utf-8")


if __name__ == "__main__":
    main()
