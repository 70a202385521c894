"""Two models side by side: answers of both, a vote that is kept as a preference, and the page on the real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx

from presage.align.label_votes import Votes
from presage.align.records import read_preferences
from presage.serve.app import build_app
from presage.serve.page.facts import facts
from presage.serve.page.mount import mount
from tests.page.browser import page_of
from tests.page.scripted import TWO, serving
from tests.page.test_page import send
from tests.page.test_page import served as scripted
from tests.serve.house import house
from tests.serve.house import served as model_of


def test_both_answer_blind_and_the_vote_is_saved(browser: Any, votes: Votes, tmp_path: Path) -> None:
    with scripted(*TWO, vote=votes.add) as server, page_of(browser) as (page, _):
        page.goto(server.url)
        page.select_option("#model", "compare-blind")
        send(page, "who")
        page.wait_for_selector(".votes")
        heads = page.locator(".column .name").all_inner_texts()
        assert heads == ["Answer A", "Answer B"] and not page.locator(".column .stats").count()
        first = page.locator(".column .text").first.inner_text().split(":")[0]
        page.keyboard.press("1")
        page.wait_for_selector("#who:visible")  # votes carry a name
        page.fill("#who", "Ada")
        page.keyboard.press("Escape")
        page.keyboard.press("1")
        page.wait_for_selector(".won")
        assert page.locator(".column .name").first.inner_text().startswith(f"A · {first}")
        assert "saved on the server" in page.locator(".verdict").inner_text()
        [found] = read_preferences(tmp_path / "votes.jsonl")
        assert [one.split(":")[0] for one in found.completions] == ["base", "tuned"]
        assert found.completions[found.ranks.index(1)].startswith(first)
        assert len({body["seed"] for body in server.asked}) == 1
        send(page, "on")
        page.wait_for_selector(".turn:nth-child(4) .votes")
        assert all(body["messages"][1]["content"].startswith(first) for body in server.asked[2:])
        page.keyboard.press("0")
        page.wait_for_selector(".verdict:has-text('A tie.')")
        assert read_preferences(tmp_path / "votes.jsonl")[1].ranks == (1, 1)


def test_named_answers_say_whose_they_are_and_without_a_file_nothing_is_kept(browser: Any) -> None:
    with scripted(*TWO) as server, page_of(browser) as (page, _):
        page.goto(server.url)
        page.select_option("#model", "compare-named")
        send(page, "who")
        page.wait_for_selector(".votes")
        assert page.locator(".column .name").all_inner_texts() == ["A · base", "B · tuned"]
        page.click("[data-vote='2']")
        page.wait_for_selector(".won")
        assert "keeps no votes" in page.locator(".verdict").inner_text()


def test_two_models_are_served_as_two_by_the_real_server(browser: Any) -> None:
    from presage.infer.engine.batcher import Batcher
    from presage.infer.engine.runner import Runner

    other = model_of(chat=True, eyes=True)
    object.__setattr__(other, "id", "seer")
    runner = Runner(Batcher(other.model, rows=2)).start()
    with house() as one:
        one.add(other, runner)
        told = [facts(each.served.id, each.served.model, each.served.asking, None) for each in one.all]
        assert [(each["chat"], each["sees"]) for each in told] == [(False, False), (True, True)]
        with serving(build_app(one, lambda app: mount(app, told))) as url, page_of(browser) as (page, _):
            known = httpx.get(f"{url}v1/models").json()["data"]
            assert [each["id"] for each in known] == ["small", "seer"]
            page.goto(url)
            page.select_option("#model", "compare-named")
            page.click("#tune")
            page.fill("#max_tokens", "5")
            page.keyboard.press("Escape")
            send(page, "a ladder")
            page.wait_for_selector(".votes")
            stats = page.locator(".column .stats").all_inner_texts()
            assert len(stats) == 2 and all(re.match(r"[1-5] token", each) for each in stats)
            assert page.locator(".wrong").count() == 0
    assert runner.stop(10)
