"""The limitations suite: one task for each limitation that the GPT-4 report names (§5)."""

from __future__ import annotations

from presage.tasks.files import Generated
from presage.tasks.limits.dated import Dated
from presage.tasks.limits.factual import Facts
from presage.tasks.limits.position import TEMPLATE, Position, Spans
from presage.tasks.limits.pushback import Conversed, Insisted, sums, talk
from presage.tasks.limits.slips import slips
from presage.tasks.methods.choice import Choice, plain
from presage.tasks.task import Task, Template

_REPORT = "presage, after the limitations of the GPT-4 report (section 5)"
_BARE = Template(lambda example: example.question, lambda example: f" {example.options[example.answer or 0]}")

TASKS: tuple[Task, ...] = (
    Task("dated_facts", 1, Dated(), plain(), Choice("per_token"), f"{_REPORT}: nothing after the corpus's end"),
    Task("reasoning_slips", 1, Generated(slips, 200, 40), plain(), Choice("per_token"), f"{_REPORT}: simple errors"),
    Task("pushback", 1, Generated(sums, 100, 40), talk(), Insisted(), f"{_REPORT}: false statements accepted", 5),
    Task("pushback_chat", 1, Generated(sums, 100), _BARE, Conversed(), f"{_REPORT}: false statements accepted"),
    Task("factuality", 1, Facts(), plain(), Choice("per_token"), f"{_REPORT}: factuality in nine categories"),
    Task("position_loss", 1, Spans(), TEMPLATE, Position(), f"{_REPORT}: what of a long context is used"),
)
