"""The chat page in a browser, against a server that answers as it is told."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from presage.serve.page.mount import NAMES, STATIC, Vote
from tests.page.browser import PHONE, page_of, until
from tests.page.payloads import PAYLOADS
from tests.page.scripted import Body, Scripted, about, serving

WORDS = ["Hello", " there,", " this", " is", " it."]
SLOW = 0.05


def last(body: Body) -> str:
    """What was asked last, as text."""
    said = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
    return said if isinstance(said, str) else "".join(part.get("text", "") for part in said)


def script(body: Body) -> list[str]:
    """Answers of one scripted model for all tests: by what is asked."""
    asked = last(body)
    if asked.startswith("!"):
        return ["half ", asked] if asked == "!error" else [asked]
    if len(body.get("messages", ())) > 5:
        return ["!long"]
    if asked == "long":
        return [f"word{n} " for n in range(400)]
    if asked.startswith("payloads "):
        first = int(asked.split()[1])
        return ["\n\n".join(f"{one}\n\n`{one}`" for one in PAYLOADS[first : first + 13])]
    return [f"{body['model']}:", *WORDS] if asked == "who" else WORDS


@contextmanager
def served(*models: dict[str, Any], vote: Vote | None = None, **settings: Any) -> Iterator[Scripted]:
    server = Scripted(script, **settings)
    with serving(server.app(models or [about("tiny")], vote)) as url:
        server.url = url
        yield server


def send(page: Any, text: str) -> None:
    page.fill("#box", text)
    page.press("#box", "Enter")


def answered(page: Any, text: str, count: int = 1) -> str:
    """Ask, and wait until the answer is whole."""
    send(page, text)
    until(page, "n => document.querySelectorAll('.turn.model .stats span').length >= n", count)
    page.wait_for_selector("#send:visible")
    return str(page.locator(".turn.model .text").last.inner_text())


def png(size: int = 8) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), (200, 30, 30)).save(file, "PNG")
    return file.getvalue()


def test_an_answer_streams_is_counted_and_drawn_again(browser: Any) -> None:
    with served(pause=SLOW) as server, page_of(browser) as (page, seen):
        page.goto(server.url)
        assert page.locator("#empty h2").first.inner_text() == "tiny"
        send(page, "hi")
        until(page, "document.querySelector('.turn.model .text')?.textContent.startsWith('Hello')")
        partial = page.locator(".turn.model .text").inner_text()
        page.wait_for_selector("#send:visible")
        whole = page.locator(".turn.model .text").inner_text()
        assert partial != whole == "Hello there, this is it."
        assert re.search(r"5 tokens.*tokens/s.*first after \d+ ms", page.locator(".stats").inner_text(), re.S)
        assert page.locator("#hint").inner_text() == "12 of 128 tokens of context"
        page.click("text='hi' >> nth=0")
        page.get_by_label("Another answer").click()
        page.wait_for_selector(".again")
        assert [body["messages"] for body in server.asked] == [[{"role": "user", "content": "hi"}]] * 2
        assert server.asked[0]["seed"] != server.asked[1]["seed"]
        assert all(url.startswith(server.url) for url in seen.urls)


def test_escape_stops_the_answer_and_not_the_page(browser: Any) -> None:
    with served(pause=SLOW) as server, page_of(browser) as (page, _):
        page.goto(server.url)
        send(page, "long")
        until(page, "document.querySelector('.turn.model .text')?.textContent.includes('word3')")
        page.keyboard.press("Escape")
        page.wait_for_selector("#send:visible")
        assert "stopped" in page.locator(".stats").inner_text()
        assert "word300" not in page.locator(".turn.model .text").inner_text()
        page.wait_for_timeout(4 * SLOW * 1000)
        assert server.broken == 1
        assert answered(page, "again", count=2) == "Hello there, this is it."
        told = server.asked[-1]["messages"]
        assert [one["role"] for one in told] == ["user", "assistant", "user"] and told[1]["content"].startswith("word0")


def test_settings_are_sent_and_a_sent_message_can_be_changed(browser: Any) -> None:
    with served() as server, page_of(browser) as (page, _):
        page.goto(server.url)
        page.click("#tune")
        for name, value in {"system": "Be brief.", "temperature": "0.2", "top_p": "0.9", "max_tokens": "17"}.items():
            page.fill(f"#{name}", value)
        page.fill("#seed", "5")
        page.fill("#stop-texts", "END\n##")
        page.fill("#temperature", "9")  # out of range: not taken
        page.keyboard.press("Escape")
        answered(page, "one")
        answered(page, "two", count=2)
        body = server.asked[0]
        told = {key: body[key] for key in ("temperature", "top_p", "max_tokens", "seed", "stop", "stream")}
        assert told == {
            "temperature": 0.2,
            "top_p": 0.9,
            "max_tokens": 17,
            "seed": 5,
            "stop": ["END", "##"],
            "stream": True,
        }
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        page.press("#box", "ArrowUp")
        page.keyboard.press("Escape")
        page.get_by_label("Edit").first.click()
        page.keyboard.press("Control+a")
        page.keyboard.type("three")
        page.keyboard.press("Enter")
        page.wait_for_selector(".again")
        assert [one["content"] for one in server.asked[-1]["messages"]] == ["Be brief.", "three"]
        assert page.locator(".turn").count() == 2


def test_what_the_context_has_no_room_for_is_left_out_and_said(browser: Any) -> None:
    with served() as server, page_of(browser) as (page, _):
        page.goto(server.url)
        for number in range(1, 5):
            answered(page, f"turn {number}", count=number)
        said = page.locator(".turn.model .stats")
        assert "without the first question" in said.last.inner_text()
        assert "without" not in said.nth(2).inner_text()
        assert [one["content"] for one in server.asked[-1]["messages"][::2]] == ["turn 2", "turn 3", "turn 4"]


def test_what_is_sent_before_the_models_are_known_is_sent_then(browser: Any) -> None:
    with served() as server, page_of(browser) as (page, _):
        held: list[Any] = []
        page.route("**/page/facts", lambda route: held.append(route))
        page.goto(server.url)
        until(page, "document.querySelectorAll('#send svg').length")
        send(page, "hi")
        assert page.locator(".turn").count() == 0 and page.input_value("#box") == "hi"
        held[0].continue_()
        page.wait_for_selector(".turn.model .stats span")
        assert [body["messages"] for body in server.asked] == [[{"role": "user", "content": "hi"}]]
        assert page.input_value("#box") == ""
        page.reload()
        page.click("nav >> text=hi")
        send(page, "and then?")
        page.fill("#box", "and then? or not?")  # changed since: not sent
        held[1].continue_()
        until(page, "document.querySelector('#hint').textContent.includes('of 128')")
        assert len(server.asked) == 1 and page.input_value("#box") == "and then? or not?"
        page.reload()
        page.click("nav >> text=hi")
        send(page, "and then?")
        held[2].continue_()
        until(page, "document.querySelectorAll('.turn.model').length === 2")
        page.wait_for_selector("#send:visible")
        assert [one["content"] for one in server.asked[-1]["messages"][::2]] == ["hi", "and then?"]


def test_an_answer_is_left_room(browser: Any) -> None:
    """usage says that 16 characters are 7 tokens, with as many around each turn: of 128 half is for the answer."""
    with served() as server, page_of(browser) as (page, _):
        page.goto(server.url)
        answered(page, "x" * 16)
        answered(page, "y" * 50, count=2)
        answered(page, "z" * 16, count=3)
        assert [one["content"][0] for one in server.asked[1]["messages"]] == ["x", "H", "y"]
        assert [one["content"][0] for one in server.asked[2]["messages"]] == ["y", "H", "z"]


def test_images_are_dropped_pasted_and_chosen(browser: Any) -> None:
    data = base64.b64encode(png()).decode()
    give = """([kind, data]) => {
      const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0)), moved = new DataTransfer();
      moved.items.add(new File([bytes], "a.jpg", { type: "image/jpeg" }));
      const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: moved, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: moved, bubbles: true, cancelable: true });
      document.querySelector("#box").dispatchEvent(event);
    }"""
    with served(about("seer", sees=True)) as server, page_of(browser) as (page, _):
        page.goto(server.url)
        page.wait_for_selector("#attach:visible")
        for number, kind in enumerate(("drop", "paste"), 1):
            page.evaluate(give, [kind, data])
            page.wait_for_selector(f"#thumbs li:nth-child({number})")
        page.set_input_files("#files", {"name": "b.png", "mimeType": "image/png", "buffer": png(9)})
        page.wait_for_selector("#thumbs li:nth-child(3)")
        page.set_input_files("#files", {"name": "c.png", "mimeType": "image/png", "buffer": b"<svg onload=__hit()>"})
        page.wait_for_selector("#alarm:visible")
        assert page.locator("#alarm").inner_text() == "c.png is no PNG, JPEG, WebP or GIF image."
        page.get_by_label("Remove image 3").click()
        answered(page, "what is it?")
        first, second, text = server.asked[0]["messages"][0]["content"]
        url = f"data:image/png;base64,{data}"
        assert first == second == {"type": "image_url", "image_url": {"url": url}}
        assert text == {"type": "text", "text": "what is it?"}
        assert page.locator(".turn.user img").count() == 2
    with served() as server, page_of(browser) as (page, _):
        page.goto(server.url)
        page.wait_for_selector("#empty h2")
        assert not page.locator("#attach").is_visible()
        page.evaluate(give, ["drop", data])
        assert page.locator("#alarm").inner_text() == "This model does not see: images are not sent."


def test_colours_follow_the_system_until_they_are_chosen(browser: Any) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with served() as server, page_of(browser, color_scheme="dark") as (page, _):
        page.goto(server.url)
        dark = page.evaluate(paper)
        assert page.get_attribute("#theme", "aria-pressed") == "true"
        page.click("#theme")
        light = page.evaluate(paper)
        assert (dark, light) == ("rgb(23, 24, 26)", "rgb(255, 254, 251)")
        page.reload()
        assert page.evaluate(paper) == light


def test_conversations_are_kept_named_deleted_and_carried_away(browser: Any, tmp_path: Path) -> None:
    with served() as server, page_of(browser) as (page, _):
        page.goto(server.url)
        answered(page, "first talk")
        page.click("#new")
        answered(page, "second talk")
        page.reload()
        assert page.locator("#list .talk").all_inner_texts() == ["second talk", "first talk"]
        page.hover("#list li >> nth=0")
        page.get_by_label("Rename “second talk”").click()
        page.keyboard.type("better name")
        page.keyboard.press("Enter")
        assert page.locator("#list .talk").first.inner_text() == "better name"
        with page.expect_download() as download:
            page.click("#export")
        path = tmp_path / "kept.json"
        download.value.save_as(path)
        assert [one["title"] for one in json.loads(path.read_text())["conversations"]] == ["better name", "first talk"]
        page.hover("#list li >> nth=1")
        page.get_by_label("Delete “first talk”").click()
        assert page.locator("#list .talk").count() == 1
        page.click("#toast button")
        assert page.locator("#list .talk").count() == 2
        page.hover("#list li >> nth=1")
        page.get_by_label("Delete “first talk”").click()
        page.set_input_files("#import-file", path)
        until(page, "document.querySelectorAll('#list .talk').length === 3")
        page.locator("#list .talk", has_text="first talk").click()
        assert page.locator(".turn.model .text").inner_text() == "Hello there, this is it."
        path.write_text('{"presage_chat": 1, "conversations": [{"id": "<img>", "messages": [{}]}]}')
        page.set_input_files("#import-file", path)
        page.wait_for_selector("#alarm:visible")
        assert "damaged: nothing was imported" in page.locator("#alarm").inner_text()
        stats = {"tokens": "<b>", "rate": "5", "first": "2", "finish": 3, "dropped": 1}
        turns = [{"role": "user", "text": "a"}, {"role": "assistant", "text": "b", "stats": stats}]
        odd = {"id": "odd1", "title": "odd", "messages": turns}
        path.write_text(json.dumps({"presage_chat": 1, "conversations": [odd]}))
        page.set_input_files("#import-file", path)
        page.wait_for_selector("#alarm", state="hidden")
        page.locator("#list .talk", has_text="odd").click()
        assert page.locator(".turn.model .stats").inner_text().startswith("without the first question")


def test_where_the_browser_keeps_nothing_the_page_works_and_says_so(browser: Any) -> None:
    barred = """for (const name of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, name, { get() { throw new DOMException("barred", "SecurityError"); } });"""
    with served() as server, page_of(browser) as (page, _):
        page.add_init_script(barred)
        page.goto(server.url)
        assert answered(page, "hi") == "Hello there, this is it."
        assert "no room for more" in page.locator("#alarm").inner_text()
        page.click("#theme")
        page.hover("#list li >> nth=0")
        page.get_by_label("Delete “hi”").click()
        assert page.locator("#list .talk").count() == 0


def test_a_base_model_goes_on_with_texts_and_says_so(browser: Any) -> None:
    offered = {"text": "2 + 2 =", "mode": "continue", "about": "solved", "max_tokens": 3, "stop": ["\n"], "images": []}
    base = about("base", chat=False, note="This model goes on with a text.", prompts=[offered])
    with served(base) as server, page_of(browser) as (page, _):
        page.goto(server.url)
        page.locator("#empty", has_text="goes on with a text").wait_for()
        page.click(".prompt")
        page.wait_for_selector(".again")
        body = server.asked[0]
        assert (body["path"], body["prompt"], body["temperature"]) == ("/v1/completions", "2 + 2 =", 0)
        assert (body["max_tokens"], body["stop"]) == (3, ["\n"])
        page.get_by_label("Go on").click()
        until(page, "document.querySelector('.turn.model .text').textContent.length > 40")
        assert server.asked[1]["prompt"] == "2 + 2 =Hello there, this is it."
        page.get_by_label("Edit your text").click()
        page.keyboard.type("1 + ")
        page.keyboard.press("Enter")
        page.wait_for_selector(".again")
        assert server.asked[2]["prompt"] == "2 + 2 =1 + "


def test_a_key_is_asked_for_and_errors_are_said_in_words(browser: Any) -> None:
    with served(key="secret") as server, page_of(browser) as (page, _):
        page.goto(server.url)
        page.wait_for_selector("#key:visible")
        assert "asks for an API key" in page.locator("#alarm").inner_text()
        page.fill("#key", "secret")
        page.keyboard.press("Tab")
        page.wait_for_selector("#empty h2", state="attached")
        page.keyboard.press("Escape")
        send(page, "!busy")
        page.wait_for_selector(".wrong")
        assert page.locator(".wrong").inner_text() == "The server is busy: at its limit. Try again in 3 s."
        send(page, "!error")
        until(page, "document.querySelectorAll('.wrong').length === 2")
        assert "The answer broke off: the model stopped" in page.locator(".wrong").last.inner_text()
        assert "half" in page.locator(".turn.model .text").last.inner_text()


def test_nothing_that_a_model_writes_is_ever_run(browser: Any) -> None:
    assert len(set(PAYLOADS)) >= 100
    hostile = about(PAYLOADS[0], facts=[[PAYLOADS[1], PAYLOADS[3]]], note=PAYLOADS[2])
    hostile["prompts"] = [{"text": PAYLOADS[4], "mode": "chat", "about": PAYLOADS[5], "max_tokens": 3, "stop": []}]
    with served(hostile) as server, page_of(browser) as (page, seen):
        page.goto(server.url)
        page.wait_for_selector("#empty h2")
        for first in range(0, len(PAYLOADS), 13):
            send(page, f"payloads {first}")
            until(page, "n => document.querySelectorAll('.turn.model .stats').length === n", first // 13 + 1)
            page.wait_for_selector("#send:visible")
        shown = page.locator("#log").inner_text()
        for one in PAYLOADS[:40]:
            assert re.sub(r"[`~\s\x00-\x1f]", "", one.splitlines()[0])[:20] in re.sub(r"[`~\s\u2400-\u241f]", "", shown)
        send(page, PAYLOADS[0])
        page.wait_for_timeout(300)
        page.reload()
        page.locator("#list .talk").click()
        page.wait_for_selector(".turn.model")
        assert page.locator("#log script, #log iframe, #log img, #log a, #log style, #log form").count() == 0
        assert all(url.startswith(server.url) for url in seen.urls)


def test_the_page_is_small_quick_and_asks_nobody_else(browser: Any) -> None:
    assert sum((STATIC / name).stat().st_size for name in (*NAMES, "index.html")) < 100_000
    with served() as server, page_of(browser) as (page, seen):
        page.goto(server.url)
        page.wait_for_selector("#empty h2")
        page.reload()
        page.wait_for_selector("#empty h2")
        assert page.evaluate("performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart") < 1000
        assert seen.size < 200_000
        assert all(url.startswith(server.url) for url in seen.urls)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it_and_the_keyboard_reaches_it(browser: Any, scheme: str) -> None:
    with served(about("tiny"), about("other")) as server, page_of(browser, PHONE, color_scheme=scheme) as (page, _):
        page.goto(server.url)
        answered(page, "hi")
        wide = "Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth)"
        assert page.evaluate(wide) <= PHONE[0]
        assert page.locator("#theme").bounding_box()["x"] < PHONE[0] - 30
        assert not page.locator("#new").is_visible()
        page.focus("#menu")
        page.keyboard.press("Enter")
        page.wait_for_selector("#new:visible")
        assert page.evaluate("document.activeElement.id") == "new"
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == "menu"
        unnamed = """() => [...document.querySelectorAll("button, input, textarea, select")].filter((one) => {
          const label = one.labels?.length || one.ariaLabel || one.textContent.trim();
          return !label && getComputedStyle(one).display !== "none";
        }).map((one) => one.outerHTML)"""
        assert page.evaluate(unnamed) == []
        reached = set()
        page.focus("#menu")
        for _ in range(14):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.id || document.activeElement.ariaLabel"))
        assert {"model", "tune", "theme", "box", "Edit", "Another answer"} <= reached
