"""Translated MMLU in every language of the GPT-4 report (appendix F)."""

from __future__ import annotations

from presage.tasks.translated import TASKS as TASKS
