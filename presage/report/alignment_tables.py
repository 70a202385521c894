"""The tables of the section on alignment: who refuses what, and what the assistants lost of what the base could do.

The stage `conduct` gives every model a name and records its digest; a run of another role belongs to the name whose
digest it has.
"""

from __future__ import annotations

from collections.abc import Iterator

from presage.core.errors import RunError
from presage.report.blocks import Cell, Table, Text, Unbroken, Wrapped
from presage.report.examination import NONE
from presage.report.facts import Fact, Sources

ROLE = "conduct"
RESULT = (ROLE, "result.json")
BASE = "base"
POLICIES = ("policy", "policy_alone", "policy_no_text")
ASSISTANTS = ("sft", *POLICIES)
TAX = ("tax_sft", "tax_policy", "tax_policy_alone", "tax_policy_no_text")
"""Of each of ASSISTANTS."""
UNASKED = ("tax_policy_alone", "tax_policy_no_text")
"""What a chain may do without."""
MEASURES = {
    "refusal on disallowed": "refuses what is disallowed",
    "refusal on destruction": "of that, destruction",
    "refusal on theft": "of that, theft",
    "harm on disallowed": "does what is disallowed",
    "refusal on safe": "refuses what is safe",
    "refusal on boundary twins": "of that, twins at the boundary",
    "task pass rate": "does what is asked, of what is safe",
    "task pass rate/difference": "the same, minus the first model’s",
    "function pass rate": "of that, functions that pass their tests",
}
ASKED = (
    ("which passage follows", "next_passage/accuracy", "share"),
    ("calibration error of that", "next_passage/ece", "share"),
    ("generated functions that pass at once", "microcode/pass@1", "share"),
)
"""What the eval runs are read for: column, key and form."""


def count(s: Sources) -> int:
    """How many models were compared."""
    return len(s.get(ROLE, "config.json", "config.names", []))


def named(s: Sources, place: int) -> str:
    """The name of the model in that place, as keys have it."""
    return str(s.get(ROLE, "config.json", f"config.names.{place}"))


def name(s: Sources, place: int) -> Fact:
    """The same as a fact."""
    return s.fact(ROLE, "config.json", f"config.names.{place}")


def after(s: Sources) -> int:
    """The place of the policy: the run that is given as such, or else the second model; the only one where no other."""
    last = count(s) - 1
    return next((place for place in range(count(s)) if _model(s, place) == _digest(s, "policy")), min(1, last))


def called(s: Sources, role: str) -> str:
    """What `conduct` calls the run of that role; the role where it did not examine it."""
    digest = _digest(s, role)
    places = [place for place in range(count(s)) if _model(s, place) == digest]
    return named(s, places[0]) if places else role.replace("_", " ")


def estimate(s: Sources, place: tuple[str, str], key: str, form: str = "share", value: str = ".value") -> Cell:
    """A value with its interval, or its standard error where it has no other; alone where it has neither.

    `key` and `value` make the value's key; lo, hi and stderr stand beside it.
    """

    def beside(part: str) -> str:
        return key + value.rpartition(".")[0] + f".{part}"

    shown = Unbroken("{v}", v=s.fact(*place, key + value, form))
    if s.get(*place, beside("lo")) is not None and s.get(*place, beside("hi")) is not None:
        ends = {end: s.fact(*place, beside(end), form) for end in ("lo", "hi")}
        return Text("{v} {ends}", v=shown, ends=Unbroken("({lo} to {hi})", **ends))
    if s.get(*place, beside("stderr")) is not None:
        return Text("{v} {e}", v=shown, e=Unbroken("± {e}", e=s.fact(*place, beside("stderr"), form)))
    return s.fact(*place, key + value, form)


def of(s: Sources, place: int, measure: str, form: str = "share") -> Cell:
    """What `conduct` found of a model, with its interval."""
    return estimate(s, RESULT, f"{named(s, place)}/{measure}", form)


def prompts(s: Sources, place: int, measure: str) -> Fact:
    """On how many requests."""
    return s.fact(*RESULT, f"{named(s, place)}/{measure}.n", "count")


# ---- conduct --------------------------------------------------------------------------------------------------------


def conduct(s: Sources) -> Table:
    """A row a measure with how many requests it is of, a column a model."""
    places = range(count(s))
    rows: list[list[Cell]] = [
        [_label(s, says, measure), *(_measured(s, place, measure) for place in places)]
        for measure, says in MEASURES.items()
        if _asked(s, measure)
    ]
    rows.append([_label(s, "KL divergence, nats an answer", "kl"), *(_kl(s, place) for place in places)])
    note = Text(
        "In brackets the {level} interval; requests for the same deed or function in other words count as one group. "
        "Differences are of the shares, paired request by request. A twin at the boundary is allowed, and a disallowed "
        "request differs from it in whose the thing is or in the verb alone. KL divergence is from the first model, "
        "over the answers of the model itself.",
        level=s.fact(*RESULT, f"{named(s, 0)}/kl.level", "share"),
    )
    columns = ["of so many requests", *(named(s, place) for place in places)]
    return Table("Conduct on held-out requests", columns, rows, note)


def _label(s: Sources, says: str, measure: str) -> Text:
    return Wrapped("{says} ({n})", says=says, n=prompts(s, after(s), measure))


def _asked(s: Sources, measure: str) -> bool:
    """A measure of which the requests hold nothing is not missing; where nothing was measured at all, every one is."""
    found = s.data(*RESULT) or {}
    return not found or any(f"{named(s, place)}/{measure}" in found for place in range(count(s)))


def _measured(s: Sources, place: int, measure: str) -> Cell:
    return NONE if place == 0 and measure.endswith("/difference") else of(s, place, measure)


def _kl(s: Sources, place: int) -> Cell:
    return NONE if place == 0 else of(s, place, "kl", "loss")


# ---- the tax --------------------------------------------------------------------------------------------------------


def tax(s: Sources) -> Table:
    """A row a model, the base first: bits per byte, what they rose by, and the base's own tasks.

    Raises RunError where an eval run is of a model that `conduct` did not compare.
    """
    runs = _examined(s)
    rows: list[list[Cell]] = [
        ["base", estimate(s, RESULT, f"{BASE}/bpb", "loss"), NONE, *_tasks(s, runs[BASE])],
        *(
            [name(s, place), of(s, place, "bpb", "loss"), of(s, place, "tax"), *_tasks(s, runs[named(s, place)])]
            for place in range(count(s))
        ),
    ]
    asked = [s.fact(runs[BASE], "result.json", f"{key}.n", "count") for _, key, _ in ASKED]
    note = Text(
        "Bits per byte of {tokens} held-out tokens of the base’s text, ± a standard error; the tax is by how much they "
        "rose, as a share of the base’s, and one per cent is what we allow ourselves. All models read the same text, "
        "so that the tax is known better than the bits are. The tasks are asked as of a base model, without a "
        "conversation: {passages} questions which of four passages follows; the calibration error is the mean gap of "
        "the {options} options’ probabilities from how often they are right, ± a standard error; {functions} generated "
        "functions. In brackets the intervals, of {level}.",
        tokens=s.fact(*RESULT, f"{BASE}/bpb.n", "count"),
        passages=asked[0], options=asked[1], functions=asked[2],
        level=s.fact(runs[BASE], "result.json", f"{ASKED[0][1]}.level", "share"),
    )  # fmt: skip
    return Table("The alignment tax", ["", "bits per byte", "tax", *(says for says, _, _ in ASKED)], rows, note)


def _tasks(s: Sources, role: str) -> Iterator[Cell]:
    """What an eval run found; nothing where a policy without one of its parts was not asked."""
    for _, key, form in ASKED:
        yield NONE if role in UNASKED and s.runs.get(role) is None else estimate(s, (role, "result.json"), key, form)


def _examined(s: Sources) -> dict[str, str]:
    """{model: the role of the eval run that asked it}; where there is none, of one that is not given."""
    names = [named(s, place) for place in range(count(s))]
    models = {BASE: s.get(ROLE, "origin.json", f"parents.{BASE}.digest")}
    models |= {one: _model(s, place) for place, one in enumerate(names)}
    given = {role: s.get(role, "origin.json", "parents.run.digest") for role in ("tax_base", *TAX) if s.runs.get(role)}
    found: dict[str, str] = {}
    for role, digest in given.items():
        alike = (one for one, known in models.items() if digest is not None and known == digest)
        whose = next((one for one in alike if one not in found), None)
        if whose is None:
            what = "an examination of a model that the conduct run did not compare"
            raise RunError(what, where=s.path(role), hint="give the runs of one chain")
        found[whose] = role
    return {one: found.get(one, f"tax_{one}") for one in models} | {
        called(s, role): tax for role, tax in zip(ASSISTANTS, TAX, strict=True) if called(s, role) not in found
    }


def _model(s: Sources, place: int) -> str | None:
    """The digest of a compared model."""
    found = s.get(ROLE, "origin.json", f"parents.models.{place}.digest")
    return None if found is None else str(found)


def _digest(s: Sources, role: str) -> str:
    return str(s.get(role, "DONE", "digest", ""))
