"""`presage serve` as people run it: the page, two models, votes on disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from presage.align.records import read_preferences
from presage.data.bpe import Tokenizer
from presage.model.config import qwen3
from tests.imports import ROOT
from tests.model.shapes import TEXT, lively, make_run


def test_two_runs_are_served_with_a_page_and_votes_are_kept(tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(Tokenizer.train([TEXT], 270).to_json())
    shape = qwen3(270, 48, 1, 16, n_heads=2, n_kv_heads=2, d_head=8)
    one, two = (str(make_run(tmp_path / name, lively(shape), tokenizer, step=3)) for name in ("base", "tuned"))
    votes = tmp_path / "kept" / "votes.jsonl"
    command = [sys.executable, "-m", "presage", "serve", one, "--compare", f"{two}@3", "--votes", str(votes)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, "--port", "0"], cwd=ROOT, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            url = process.stdout.readline().strip().removesuffix("/v1")
            assert "presage chat" in httpx.get(f"{url}/").text
            told = httpx.get(f"{url}/page/facts").json()
            assert ([one["id"] for one in told["models"]], told["votes"]) == (["base", "tuned"], True)
            assert not any(one["chat"] for one in told["models"])
            vote = {"who": "Ada", "prompt": [{"role": "user", "content": "?"}], "completions": ["a", "b"],
                    "sources": ["base", "tuned"], "ranks": [1, 2], "shown": [0, 1], "blind": False}  # fmt: skip
            assert httpx.post(f"{url}/page/votes", json=vote).json() == {"saved": True}
            again = httpx.post(f"{url}/page/votes", json=vote)
            assert (again.status_code, "voted" in again.json()["error"]["message"]) == (422, True)
            assert [one.ranks for one in read_preferences(votes)] == [(1, 2)]  # while it runs
            for model in ("base", "tuned"):
                body = {"model": model, "prompt": "the cat", "max_tokens": 3}
                assert httpx.post(f"{url}/v1/completions", json=body).json()["model"] == model
        finally:
            os.kill(process.pid, signal.SIGTERM)
            process.wait(20)
    assert json.loads(votes.read_text())["sources"] == ["base", "tuned"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--votes", "v.jsonl"], "belongs to --compare"), (["--compare", "nowhere"], "no such directory")],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from presage import cli

    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(Tokenizer.train([TEXT], 270).to_json())
    run = make_run(tmp_path / "a", lively(qwen3(270, 48, 1, 16, n_heads=2, n_kv_heads=2, d_head=8)), tokenizer)
    assert cli.main(["serve", str(run), *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
