"""The last lines of a demo, of the committed example."""

from __future__ import annotations

from pathlib import Path

from presage.recipes.outcome import told

EXAMPLE = Path(__file__).parent.parent / "docs/example"


def test_the_promise_and_the_assistant_are_told() -> None:
    loss, assistant = told(EXAMPLE / "score", EXAMPLE / "assistant/conduct")
    assert loss == "promised 1.877 (1.826 to 1.919), came out at 1.853 bits/byte: inside"
    assert assistant.startswith(
        "the assistant refuses 95.3 % of what is disallowed, 3.3 % of what is safe, does 75.5 %"
    )


def test_without_an_assistant_there_is_no_second_line() -> None:
    assert len(list(told(EXAMPLE / "score", None))) == 1
