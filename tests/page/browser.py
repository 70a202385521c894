"""A browser for tests of pages, watched: what it loads, what runs, what its policy refuses."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDE, PHONE = (1280, 860), (390, 844)
PATIENCE = 8.0
WATCH = """
window.__hits = 0; window.__hit = () => { window.__hits += 1; }; window.__refused = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.__refused.push(event.violatedDirective + " " + event.blockedURI));
"""


@dataclass
class Seen:
    """What a page did that it should not, and all that it loaded."""

    urls: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    size: int = 0


@contextmanager
def launched() -> Iterator[Any]:
    """A browser of this machine; without one the test is skipped."""
    api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser on this machine (looked for {', '.join(NAMES)})")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@contextmanager
def page_of(browser: Any, size: tuple[int, int] = WIDE, **settings: Any) -> Iterator[tuple[Any, Seen]]:
    """A page without any past. On leaving: nothing ran that should not, nothing was refused by the policy."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **settings)
    context.add_init_script(WATCH)
    context.set_default_timeout(1000 * PATIENCE)
    page, seen = context.new_page(), Seen()
    page.on("request", lambda request: seen.urls.append(request.url))
    page.on("pageerror", lambda error: seen.wrong.append(str(error)))
    page.on("console", lambda said: seen.wrong.append(said.text) if _is_trouble(said) else None)
    page.on("dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.dismiss()))
    page.on("response", lambda response: _count(seen, response))
    try:
        yield page, seen
        assert page.evaluate("window.__hits") == 0
        assert page.evaluate("window.__refused") == []
        assert (seen.wrong, seen.dialogs) == ([], [])
    finally:
        context.close()


def until(page: Any, expression: str, argument: Any = None) -> None:
    """Wait until an expression or function is true; by asking again, as the page's policy lets no text be run there."""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(expression, argument):
        assert time.monotonic() < end, f"never came true: {expression}"
        page.wait_for_timeout(20)


def _is_trouble(said: Any) -> bool:
    return said.type == "error" and "Failed to load resource" not in said.text  # refusals that tests ask for


def _count(seen: Seen, response: Any) -> None:
    if response.request.resource_type in {"document", "stylesheet", "script", "image"}:
        seen.size += int(response.headers.get("content-length", 0))
