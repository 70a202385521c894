"""What is done with votes, and who may ask for what the page is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from presage.align.label_votes import Votes
from presage.align.records import read_preferences
from presage.core.errors import DataError, RunError
from presage.serve.app import build_app
from presage.serve.house import House
from presage.serve.keys import Key, hashed
from presage.serve.page.mount import LONGEST_VOTE, OPEN, POLICY, mount
from tests.page.scripted import TWO
from tests.serve.house import house
from tests.serve.house import served as model_of

VOTE = {
    "who": "Ada",
    "prompt": [{"role": "user", "content": "who?"}],
    "completions": ["one", "two"],
    "sources": ["base", "tuned"],
    "ranks": [2, 1],
    "shown": [1, 0],
    "blind": True,
}


def test_a_vote_is_a_preference_on_disk_with_who_wrote_which_beside_it(votes: Votes, tmp_path: Path) -> None:
    votes.add(VOTE)
    [found] = read_preferences(tmp_path / "votes.jsonl")
    assert (found.completions, found.ranks, found.who, found.pairs) == (("one", "two"), (2, 1), "Ada", [(1, 0)])
    row = json.loads((tmp_path / "votes.jsonl").read_text())
    assert (row["sources"], row["shown"], row["blind"]) == (["base", "tuned"], [1, 0], True)
    with pytest.raises(DataError, match="has voted"):
        votes.add(VOTE | {"ranks": [1, 2]})
    votes.add(VOTE | {"who": "Ben"})
    with pytest.raises(RunError, match="another process"):
        Votes.open(tmp_path / "votes.jsonl")


def test_a_file_of_votes_is_gone_on_with_and_one_of_something_else_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    first = Votes.open(path)
    first.add(VOTE)
    first.close()
    again = Votes.open(path)
    with pytest.raises(DataError, match="has voted"):
        again.add(VOTE)
    again.close()
    path.write_text("no votes\n")
    with pytest.raises(DataError, match="not a file of labels"):
        Votes.open(path)
    assert path.read_text() == "no votes\n"


@pytest.mark.parametrize(
    "change",
    [
        {"who": " "},
        {"who": "a\nb"},
        {"prompt": []},
        {"prompt": [{"role": "robot", "content": "x"}]},
        {"prompt": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        {"completions": ["one"]},
        {"completions": ["one", ""]},
        {"completions": ["one", "two", "three"]},
        {"completions": ["same", "same"]},
        {"sources": "ab"},
        {"ranks": [1, 3]},
        {"ranks": [True, 2]},
        {"ranks": [2.0, 1]},
        {"shown": [0, 0]},
        {"blind": 1},
    ],
)
def test_what_is_no_vote_is_refused_and_nothing_written(votes: Votes, tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        votes.add(VOTE | change)
    assert (tmp_path / "votes.jsonl").read_bytes() == b""


async def asked(app: Any, method: str, path: str, **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        return await client.request(method, path, **more)


@pytest.mark.parametrize(
    ("status", "more"),
    [
        (200, {"json": VOTE}),
        (415, {"content": json.dumps(VOTE), "headers": {"content-type": "text/plain"}}),
        (422, {"content": b"{", "headers": {"content-type": "application/json"}}),
        (422, {"json": [1]}),
        (422, {"json": VOTE | {"ranks": "x"}}),
        (413, {"json": VOTE | {"completions": ["x" * LONGEST_VOTE, "y"]}}),
    ],
)
def test_votes_are_json_of_bounded_length(votes: Votes, status: int, more: dict[str, Any]) -> None:
    import asyncio

    app = Starlette()
    mount(app, TWO, votes.add)
    found = asyncio.run(asked(app, "POST", "/page/votes", **more))
    assert found.status_code == status
    assert status == 200 or found.json()["error"].keys() == {"message", "type", "param", "code"}


def test_the_files_are_open_to_all_and_what_is_told_of_a_model_is_not() -> None:
    import asyncio

    with house(keys=[Key(name="ada", sha256=hashed("sk-secret"))], open_paths=OPEN) as one:
        app = build_app(one, lambda app: mount(app, TWO, lambda said: None))
        for path in OPEN:
            found = asyncio.run(asked(app, "GET", path))
            assert (found.status_code, found.headers["content-security-policy"]) == (200, POLICY)
            assert asyncio.run(asked(app, "POST", path)).status_code in (401, 405)
        for method, path in (("GET", "/page/facts"), ("POST", "/page/votes"), ("GET", "/page/../page/facts")):
            assert asyncio.run(asked(app, method, path)).status_code == 401, path
        bearer = {"Authorization": "Bearer sk-secret"}
        assert asyncio.run(asked(app, "GET", "/page/facts", headers=bearer)).json()["votes"] is True
    assert "unsafe" not in POLICY and "*" not in POLICY


def test_a_second_model_has_a_name_of_its_own() -> None:
    with house() as one, pytest.raises(Exception, match="both are called 'small'"):
        House.add(one, model_of(), one.runner)
