"""What the page is told of a run is what the run's files say, and what they do not say is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from presage.core.run import RunDir
from presage.infer.asking import Asking
from presage.infer.templated import Templated
from presage.serve.page.facts import counted, facts, run_of, trained_on
from presage.serve.page.prompts import prompts

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def write(folder: Path, stage: str, config: dict[str, Any], parents: dict[str, Any], **files: Any) -> Path:
    """A finished run as far as these facts look at it."""
    folder.mkdir(parents=True)
    digest = {"digest": folder.name, "stage": stage, "schema": 1, "files": {}}
    texts = {"config.json": {"stage": stage, "schema": 1, "config": config}, "origin.json": {"parents": parents}}
    results = {name: {"value": value} for name, value in files.pop("results", {}).items()}
    for name, value in (texts | {"DONE": digest, "result.json": results}).items():
        (folder / name).write_text(json.dumps(value))
    rows = files.pop("samples", [])
    (folder / "samples.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def parent(stage: str, name: str) -> dict[str, str]:
    return {"stage": stage, "digest": name}


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    sources = {"sources": [{"name": "python-docs"}, {"name": "microcode"}]}
    write(tmp_path / "corpus", "corpus", sources, {}, results={"train/bytes": 78_600_000, "train/documents": 55928})
    write(tmp_path / "shards", "shards", {"corpus": "../corpus"}, {"corpus": parent("corpus", "corpus")})
    text = [{"step": 1, "prompt": f"A page {n}", "completion": "…"} for n in range(5)]
    config, parents = {"shards": "../shards"}, {"shards": parent("shards", "shards")}
    write(tmp_path / "target", "pretrain", config, parents, results={"tokens": 8238592}, samples=text)
    config = {"base": "../target", "data": ["shown.jsonl"]}
    parents = {"base": parent("pretrain", "target"), "data.0": parent("file", "x")}
    said = [{"step": 1, "prompt": p, "completion": c, "shown": "yes"} for p, c in (("a?", "yes"), ("b?", "no"))]
    write(tmp_path / "sft", "sft", config, parents, results={"demonstrations": 4000}, samples=said)
    return tmp_path


def asked(prompt: str, passed: list[bool], **changes: Any) -> dict[str, Any]:
    decoding = {"max_tokens": 400, "stops": ["<|endoftext|>", "\ndef"]}
    row = {"declared": "microcode", "prompt": prompt, "options": [], "scores": {"pass@1": float(all(passed))}}
    return (
        row
        | {"extra": {"passed": passed}, "asked": [{"kind": "generate", "request": {"decoding": decoding}}]}
        | changes
    )


def test_the_way_of_a_model_is_told_training_by_training(demo: Path) -> None:
    base = "8.24 million tokens of python-docs, microcode (78.6 MB in 55,928 documents)"
    assert trained_on(RunDir(demo / "target")) == [base]
    assert trained_on(RunDir(demo / "sft")) == [base, "4,000 demonstrations (shown.jsonl)"]
    (demo / "corpus" / "config.json").unlink()
    assert trained_on(RunDir(demo / "target")) == ["8.24 million tokens of text"]
    (demo / "target" / "origin.json").write_text("{")
    assert trained_on(RunDir(demo / "sft")) == ["4,000 demonstrations (shown.jsonl)"]
    (demo / "sft" / "result.json").write_text("[]")
    assert trained_on(RunDir(demo / "sft")) == []


def test_what_is_offered_was_done_by_this_very_run(demo: Path) -> None:
    rows = [asked("wrong", [True, False]), asked("right", [True, True]), asked("choice", [True], options=["a"])]
    write(demo / "examination", "eval", {}, {"run": parent("pretrain", "target")}, samples=rows)
    write(demo / "examination-of-another", "eval", {}, {"run": parent("pretrain", "other")}, samples=rows)
    found = prompts(RunDir(demo / "target"))
    assert [one["text"] for one in found] == ["right", "A page 0", "A page 1"]
    assert (found[0]["mode"], found[0]["max_tokens"], found[0]["stop"]) == ("continue", 48, ["\ndef"])
    assert [one["text"] for one in prompts(RunDir(demo / "sft"))] == ["a?"]


def test_images_are_offered_that_were_seen_right_and_not_guessed(demo: Path) -> None:
    write(demo / "eyes" / "vision", "vision", {}, {})
    rows = [
        {"prompt": prompt, "scores": {"vision": seen, "no-vision": blind}, "image": image}
        for prompt, seen, blind, image in (
            ("guessed", 1.0, 1.0, "artifacts/a.png"),
            ("missed", 0.0, 0.0, "artifacts/a.png"),
            ("outside", 1.0, 0.0, "../../target/DONE"),
            ("seen", 1.0, 0.0, "artifacts/a.png"),
        )
    ]
    parents = {"models.0": parent("vision", "vision")}
    sight = write(demo / "eyes" / "sight", "sight", {"max_tokens": 99}, parents, samples=rows)
    (sight / "artifacts").mkdir()
    (sight / "artifacts" / "a.png").write_bytes(PNG)
    [found] = prompts(RunDir(demo / "eyes" / "vision"))
    assert (found["text"], found["max_tokens"], found["images"][0][:22]) == ("seen", 99, "data:image/png;base64,")


def test_what_cannot_be_read_is_not_offered(demo: Path) -> None:
    (demo / "sft" / "samples.jsonl").write_text('{"prompt": 3}\n{"prompt": "x"}\n{"torn')
    assert prompts(RunDir(demo / "sft")) == []


def test_a_model_with_a_template_of_its_own_talks() -> None:
    foreign = Templated("{{ messages }}", {}, None)  # type: ignore[arg-type]
    asking = Asking(None, False, 8, 4, foreign=foreign)  # type: ignore[arg-type]
    told = facts("theirs", None, asking, None)
    assert told["chat"] and not told["note"] and not told["sees"]


def test_numbers_and_places_are_as_people_write_them(demo: Path) -> None:
    assert [counted(one) for one in (950, 4000, 1194960, 2.5e9)] == ["950", "4,000", "1.19 million", "2.5 billion"]
    assert run_of("hf:x") is None
    assert run_of(f"{demo / 'sft'}@7") == run_of(str(demo / "sft")) == demo / "sft"
