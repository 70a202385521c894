"""The sections of a system card below its table of risks: what was measured, what people found, what was neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from presage.report.blocks import Block, Cell, Items, Quote, Section, Table, Text
from presage.report.card_figures import HARMFUL, MEASURES, ROLE, SAFE, SETS, Figures, by_category
from presage.report.facts import Sources
from presage.report.tables import csv_table

SAMPLES = (ROLE, "samples.jsonl")
SHOWN = 2  # samples of a set
OUTCOMES = {"refusal": "refused", "partial": "partly refused", "empty": "said nothing",
            "unrelated": "unrelated", "answer": "answered"}  # fmt: skip
REVIEWS, RETESTS = (ROLE, "tables/reviews.csv"), (ROLE, "tables/retests.csv")


def sections(s: Sources) -> list[Section]:
    """Those that there is anything to say in; what was not assessed and the files always."""
    f = Figures.of(s)
    made = [requests(f), answers(s), toxicity(f), moderation(f), pairs(f), occupations(f), bbq(f), behaviours(f),
            reviews(s)]  # fmt: skip
    return [*(one for one in made if one.blocks), not_assessed(s), files(s)]


# ---- requests --------------------------------------------------------------------------------------------------------


def requests(f: Figures) -> Section:
    """What the model does with requests to refuse and with requests to answer."""
    section = Section("requests", "Requests to refuse, and requests to answer")
    harmful, safe = ([name for name in names if f.has(name)] for names in (HARMFUL, SAFE))
    if not harmful and not safe:
        return section
    section.blocks.append(_reading(f))
    if harmful:
        section.blocks.append(_outcomes(f, "Harmful requests", harmful))
    if safe:
        section.blocks.append(_outcomes(f, "Safe requests: a refusal here is one too many", safe))
    judged = [name for name in (*harmful, *safe) if f.has(name) and (name, "judged_refusal", "") in f.places]
    if judged:
        section.blocks.append(_judged(f, judged))
    of_category = {kind: OUTCOMES[kind] for kind in ("refusal", "unrelated", "answer")}
    section.blocks += [
        by_category(f, f"By category: {SETS[name]}", name, of_category, fold=True)
        for name in ("harmful", "xstest_safe")
        if f.categories(name, "refusal")
    ]
    return section


def _reading(f: Figures) -> Items:
    said = [
        Text(
            "Every answer is told by a rule over its first sentences (how far that agrees with people is in the "
            "project's documentation). Silence does not count as a refusal."
        ),
        Text(
            "`unrelated` is an answer that has no word in common with its request: a model that babbles neither "
            "refuses nor answers. The bar is low: `answered` says neither that an answer is any good nor that it is "
            "harmful."
        ),
    ]
    return Items([*said, _alarms(f)] if f.has("unprompted") else said)


def _alarms(f: Figures) -> Text:
    return Text(
        "On the model's unprompted samples, which answer nobody, the same rule finds a refusal in {alarms}: false "
        "alarms, above which a refusal rate says something. One that is as high on safe requests as on harmful ones "
        "does not tell them apart.",
        alarms=f.interval("unprompted", "refusal_false_alarms"),
    )


def _outcomes(f: Figures, caption: str, names: Sequence[str]) -> Table:
    rows: list[Sequence[Cell]] = [
        [
            SETS[name],
            f.n(name, "refusal"),
            f.interval(name, "refusal"),
            *(f.value(name, kind) for kind in OUTCOMES if kind != "refusal"),
            f.value(name, "prompt_cut"),
        ]
        for name in names
    ]
    return Table(caption, ["", "n", *OUTCOMES.values(), "prompt cut"], rows)


def _judged(f: Figures, names: Sequence[str]) -> Table:
    kinds = {"refusal": "refusal", "bad_refusal": "undesired refusal", "disallowed": "disallowed content",
             "answer": "safe answer", "invalid": "judge out of contract"}  # fmt: skip
    rows: list[Sequence[Cell]] = [
        [SETS[name], f.n(name, "judged_refusal"), *(f.interval(name, f"judged_{kind}") for kind in kinds)]
        for name in names
    ]
    note = Text("Classes of the rubric of refusals, by {judge}.", judge=f.s.result(ROLE, "judge"))
    return Table("The same answers by a judge", ["", "n", *kinds.values()], rows, note)


def answers(s: Sources) -> Section:
    """The first answers of some sets, unpicked."""
    section = Section("answers", "What it says")
    rows = s.rows(*SAMPLES)
    wanted = ("harmbench_test", "xstest_safe", "unprompted", "openings")
    chosen = [place for name in wanted for place in _first(rows, name)]
    if not chosen:
        return section
    section.blocks.append(
        Text("Not chosen: the first of each set, as they were asked. Prompts stand in bold or in ⟦brackets⟧.")
    )
    section.blocks += [_quote(s, place, rows[place]) for place in chosen]
    return section


def _first(rows: Sequence[dict[str, Any]], name: str) -> list[int]:
    return [place for place, row in enumerate(rows) if row.get("set") == name and "completion" in row][:SHOWN]


def _quote(s: Sources, place: int, row: dict[str, Any]) -> Quote:
    def cell(key: str) -> Any:
        return s.fact(*SAMPLES, f"{place}.{key}", "sample")

    said = Text("{set}; by the rule: {outcome}", set=SETS[row["set"]], outcome=cell("outcome"))
    note = said if "outcome" in row else Text("{set}", set=SETS[row["set"]])
    return Quote(cell("prompt"), cell("completion"), note)


# ---- text ------------------------------------------------------------------------------------------------------------


def toxicity(f: Figures) -> Section:
    """How often samples have a word of the list."""
    section = Section("toxicity", "Toxic words in samples")
    names = [name for name in ("unprompted", "openings") if f.has(name)]
    if not names:
        return section
    metrics = {"listed": "samples with a word of the list", "listed_words": "words of the list, of all",
               "empty": "empty samples", "classified": "toxic by the classifier"}  # fmt: skip
    used = {key: label for key, label in metrics.items() if any((name, key, "") in f.places for name in names)}
    rows: list[Sequence[Cell]] = [
        [SETS[name], f.n(name, "listed"), *(f.interval(name, metric) for metric in used)] for name in names
    ]
    note = Text(
        "The measure is a list of obscene, sexual and hateful words of English, and says no more than that one of them "
        "is there: it misses a threat in clean words and finds a word that is quoted. Temperature one."
    )
    section.blocks.append(Table("Samples of the model's own accord", ["", "n", *used.values()], rows, note))
    return section


def moderation(f: Figures) -> Section:
    """The model as a classifier beside a list of words."""
    section = Section("moderation", "Telling undesired content")
    if not f.has("moderation"):
        return section
    section.blocks.append(
        Text(
            "Of published texts with people's labels: how well does the likelihood of “yes” over “no”, after a text "
            "and the definition of a class, tell the texts of that class? One half of the area under the ROC curve is "
            "guessing, and a precision area as large as the share of positives. `words` is the share of a text's words "
            "that are on the list: what a model must beat."
        )
    )
    metrics = {"roc_area": "ROC area", "roc_area_words": "words", "precision_area": "precision area",
               "precision_area_words": "words", "positives": "positives"}  # fmt: skip
    section.blocks.append(by_category(f, "By class", "moderation", metrics))
    return section


# ---- groups of people ------------------------------------------------------------------------------------------------


def pairs(f: Figures) -> Section:
    """CrowS-Pairs and WinoBias."""
    section = Section("pairs", "Pairs of sentences")
    captions = {"crows_pairs": "CrowS-Pairs: the more stereotyped sentence is the likelier",
                "winobias": "WinoBias: the sentence with the stereotype's pronoun is the likelier"}  # fmt: skip
    section.blocks += [
        by_category(f, caption, name, {"stereotype_preferred": "share"})
        for name, caption in captions.items()
        if f.has(name)
    ]
    if section.blocks:
        section.blocks.insert(0, Text("One half is no preference. Total log-probabilities of both sentences."))
    return section


def occupations(f: Figures) -> Section:
    """GPT-3's probes of occupations and gender."""
    section = Section("occupations", "Occupations and gender")
    if f.has("winogender"):
        section.blocks.append(
            by_category(f, "Winogender: whom the pronoun stands for", "winogender", {"accuracy": "accuracy"})
        )
    if f.has("occupations"):
        metrics = {"log_ratio": "log P(women) over P(men)", "log_ratio_beyond": "less that of “the person”",
                   "lean_to_men": "occupations that lean to men",
                   "correlation": "correlation with the share of women at work"}  # fmt: skip
        section.blocks.append(
            Text(
                "The probe of the GPT-3 report compares words of which one may be the likelier whoever is spoken of: "
                "the second column takes the same of “the person” off. Only what is left is about occupations."
            )
        )
        section.blocks.append(by_category(f, "“The (competent, incompetent) X was a”", "occupations", metrics))
    return section


def bbq(f: Figures) -> Section:
    """Accuracy and bias scores."""
    section = Section("bbq", "Questions about groups of people")
    if f.has("bbq"):
        metrics = {"unknown": "said unknown", "accuracy_ambig": "accuracy, ambiguous",
                   "accuracy_disambig": "accuracy, disambiguated",
                   "s_AMB": "bias, ambiguous", "s_DIS": "bias, disambiguated"}  # fmt: skip
        section.blocks += [
            Text(
                "BBQ. A bias score of zero is none, of one every answer with the stereotype, of minus one every one "
                "against it. Guessing is right once in three times; to say unknown to everything is right in every "
                "ambiguous context and in no other."
            ),
            by_category(f, "By category", "bbq", metrics),
        ]
    return section


def behaviours(f: Figures) -> Section:
    """Model-written sets."""
    section = Section("behaviours", "Behaviours that it says of itself")
    if f.has("behaviours"):
        metrics = {"matching": "answers that match", "first_option": "first option taken"}
        section.blocks += [
            Text(
                "Two answers a question; the likelier one counts. What a model says that it would do is not what it "
                "does; and one that takes the first option nearly always, or nearly never, has said nothing about the "
                "question. First options taken, over all: {first}.",
                first=f.interval("behaviours", "first_option"),
            ),
            by_category(f, "By behaviour", "behaviours", metrics),
        ]
    return section


# ---- people, and what is not here ------------------------------------------------------------------------------------


def reviews(s: Sources) -> Section:
    """What the red team found, and what came of asking again."""
    section = Section("reviews", "What people found")
    if s.rows(*REVIEWS):
        section.blocks += [_reviews(s), Text(
            "`harmful` is real harm or worse. Each attempt is one draw of what these people tried: an "
            "interval says nothing of what others would have tried.")]  # fmt: skip
    if s.rows(*RETESTS):
        section.blocks.append(_retests(s))
    return section


def _reviews(s: Sources) -> Block:
    def row(i: int) -> list[Cell]:
        mean = Text("{v} ({lo} to {hi})", **{k: _cell(s, REVIEWS, f"{i}.{c}", "loss") for k, c in
                    (("v", "mean_severity"), ("lo", "mean_lo"), ("hi", "mean_hi"))})  # fmt: skip
        harm = Text("{v} ({lo} to {hi})", **{k: _cell(s, REVIEWS, f"{i}.{c}", "share") for k, c in
                    (("v", "harmful"), ("lo", "harmful_lo"), ("hi", "harmful_hi"))})  # fmt: skip
        names = ("domain", "n", "names", *(f"severity_{one}" for one in range(5)))
        return [*(_cell(s, REVIEWS, f"{i}.{name}") for name in names), mean, harm]

    columns = [
        "domain",
        "n",
        "who",
        "no harm",
        "slight",
        "real",
        "serious",
        "grave",
        "mean, from zero to four",
        "harmful",
    ]
    return Table("First attempts, judged by people", columns, [row(i) for i in range(len(s.rows(*REVIEWS)))])


def _retests(s: Sources) -> Block:
    names = ("judged_by", "model", "n", "before", "after", "difference", "lo", "hi")
    form = dict.fromkeys(names[3:], "loss")
    rows = [
        [_cell(s, RETESTS, f"{i}.{name}", form.get(name, "auto")) for name in names]
        for i in range(len(s.rows(*RETESTS)))
    ]
    note = Text("By people: mean severity. By the rule that tells refusals: the share of answers that refuse. Paired.")
    return Table("The same attempts, asked again", [name.replace("_", " ") for name in names], rows, note)


def _cell(s: Sources, place: tuple[str, str], key: str, form: str = "auto") -> Cell:
    return "–" if s.get(*place, key) is None else s.fact(*place, key, form)


def not_assessed(s: Sources) -> Section:
    """Sets that were not asked, with the reason."""
    file = "tables/not_assessed.csv"
    if not s.rows(ROLE, file):
        return Section("not-assessed", "Not assessed", [Text("Every set that is known was asked.")])
    return Section("not-assessed", "Not assessed", [csv_table(s, ROLE, file, "Sets that were not asked")])


def files(s: Sources) -> Section:
    """What was read, by digest."""
    blocks: list[Block] = [
        Text("Each figure's files are in the column `source` of {table}.", table=f"{MEASURES[0]}/{MEASURES[1]}"),
        csv_table(s, ROLE, "tables/sets.csv", "Sets as they were asked"),
        csv_table(s, ROLE, "tables/files.csv", "Files read"),
    ]
    return Section("files", "Files", blocks)
