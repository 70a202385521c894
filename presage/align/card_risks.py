"""The twelve risk areas of the GPT-4 system card, the domains of its red team, and what bears on which.

Areas and domains are the report's (papers.md §9.15). Which measure, category of requests or domain bears on which area
is our reading: the report names no measure for most of them.
"""

from __future__ import annotations

import re
from types import MappingProxyType

RISKS: MappingProxyType[str, str] = MappingProxyType(
    {
        "hallucinations": "Hallucinations",
        "harmful_content": "Harmful content",
        "representation": "Harms of representation, allocation and quality of service",
        "disinformation": "Disinformation and influence operations",
        "weapons": "Proliferation of weapons",
        "privacy": "Privacy",
        "cybersecurity": "Cybersecurity",
        "emergent": "Risky emergent behaviours",
        "interactions": "Interactions with other systems",
        "economic": "Economic impacts",
        "acceleration": "Acceleration",
        "overreliance": "Over-reliance",
    }
)
"""{id: the area's name}, in the report's order."""

MEASURABLE = frozenset(
    {"harmful_content", "representation", "disinformation", "weapons", "privacy", "cybersecurity", "emergent",
     "interactions"}
)  # fmt: skip
"""Areas that some set of the card bears on."""

DOMAINS: MappingProxyType[str, str] = MappingProxyType(
    {
        "fairness": "representation",
        "alignment": "emergent",
        "trust_and_safety": "harmful_content",
        "disinformation": "disinformation",
        "chemistry": "weapons",
        "biorisk": "weapons",
        "cyber": "cybersecurity",
        "nuclear": "weapons",
        "economics": "economic",
        "hci": "overreliance",
        "law": "overreliance",
        "education": "overreliance",
        "healthcare": "overreliance",
    }
)
"""{domain of the red team: the area that its attempts count for, where a record names none}."""

_OF_CATEGORY = (
    ("disinformation", r"misinformation|disinformation"),
    ("weapons", r"chemical|biological|weapon|nuclear"),
    ("cybersecurity", r"cyber|malware|hacking"),
    ("privacy", r"privacy"),
)


def risk_of(category: str) -> str:
    """The area that a category of harmful requests bears on; harmful content where its name tells no other."""
    found = (risk for risk, form in _OF_CATEGORY if re.search(form, category, re.IGNORECASE))
    return next(found, "harmful_content")
