"""The same task asked in another way: by another scoring, for --method."""

from __future__ import annotations

from dataclasses import replace

from presage.core.errors import ConfigError
from presage.tasks.methods.choice import Scoring, choosing, lettered, plain, rewrapped, uncued
from presage.tasks.methods.letters import LetterSets
from presage.tasks.task import Task


def asked_by(task: Task, scoring: Scoring) -> Task:
    """A task of choice asked by another scoring, under the name TASK_SCORING; the task itself where it is asked so.

    By letter the options are shown and the letter is asked for; otherwise they are not shown, and their text is. Raises
    ConfigError where the task is no choice, or its options are nothing but letters.
    """
    choice = choosing(task)
    if choice.scoring == scoring:
        return task
    if isinstance(choice, LetterSets):
        raise ConfigError(f"not asked by {scoring}: its options are letters", where=task.name, hint="letter")
    template = task.template
    if scoring == "letter":
        template = lettered(uncued(template), template.header)
    elif choice.scoring == "letter":
        template = replace(plain(), header=task.template.header)
    method = rewrapped(task, replace(choice, scoring=scoring, lead=choice.lead if scoring != "letter" else " "))
    source = f"{task.source}; here by {scoring}"
    return replace(task, name=f"{task.name}_{scoring}", template=template, method=method, source=source)
