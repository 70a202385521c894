"""The section on images: what a model sees, with the pictures and without, and the first of what it was asked.

Only where runs of `sight` are given. Every value is read; what a run does not hold prints as missing.
"""

from __future__ import annotations

import re

from presage.report.alignment_tables import estimate
from presage.report.blocks import Block, Cell, Gallery, Items, Pairs, Section, Shown, Table, Text, Wrapped
from presage.report.examination import NONE
from presage.report.facts import Fact, Image, Sources
from presage.report.tables import absent

ROLE, TRAINED = "sights.", "vision"
RESULT, SAMPLES, CONFIG = "result.json", "samples.jsonl", "config.json"
CONDITIONS = {"vision": "with the images", "no-vision": "without", "interleaved": "some in words", "text": "in words"}
"""As a run of `sight` calls them, and as a column does."""
CONTAMINATION = {"exact": "share", "near": "share", "too_plain": "count"}
SHOWN = 6
"""Questions of a run that are shown."""
FEW = 50
"""Steps of training: with fewer nothing is seen."""
PLACE = re.compile(r"artifacts/[\w-]+\.png")
"""What a row may name as the file of its picture."""


def sights(s: Sources) -> list[str]:
    """The roles of the runs of `sight`, in their order."""
    return [role for role, path in s.runs.items() if role.startswith(ROLE) and path is not None]


def given(s: Sources) -> bool:
    """Whether a model was asked about images: else there is no such section."""
    return bool(sights(s))


def headline(s: Sources) -> Text:
    """One sentence: what is right with the images of the first run, and without."""
    role = sights(s)[0]
    return Text(
        "Of {n} questions about images ({name}), {seen} are answered right, and {blind} without the images.",
        n=s.result(role, "questions", "count"),
        name=_name(s, role),
        seen=s.result(role, "accuracy/vision", "share"),
        blind=s.result(role, "accuracy/no-vision", "share"),
    )


def section(s: Sources) -> Section:
    """What is seen, how it was learned, examples, and the limits."""
    trained: list[Block] = [_training(s)] if s.runs.get(TRAINED) else []
    galleries = [_gallery(s, role) for role in sights(s)]
    return Section("images", "Images", [*_short(s), _scores(s), *trained, *galleries, _limits()])


def _short(s: Sources) -> list[Block]:
    """A warning, where next to nothing was learned."""
    steps = s.get(TRAINED, RESULT, "steps.value")
    if not isinstance(steps, int) or steps >= FEW:
        return []
    words = (
        "This is a walk through the stages: the model made {steps} steps on {documents} documents with images, where "
        "hundreds are needed. What follows shows that every stage runs, and nothing of what such training comes to."
    )
    documents = s.result(TRAINED, "documents", "count")
    return [Text(words, steps=s.result(TRAINED, "steps", "count"), documents=documents)]


def _scores(s: Sources) -> Table:
    """A row a run; a column each condition that any of them was asked in."""
    asked = [one for one in CONDITIONS if one == "vision" or any(_has(s, role, one) for role in sights(s))]
    rows: list[list[Cell]] = [
        [Wrapped("{name}", name=_name(s, role)), s.result(role, "questions", "count"),
         *(_score(s, role, one) for one in asked), s.result(role, "chance", "share"),
         *(_known(s, role, f"contamination/{how}", form) for how, form in CONTAMINATION.items())]
        for role in sights(s)
    ]  # fmt: skip
    note = Text(
        "Shares of right answers, in brackets the {level} interval; questions about one picture count as one group. "
        "Without: “IMAGE:” stands in the place of each image. By chance: one answer given to all questions of a "
        "category, the one that is right most often, or an option drawn evenly. The last columns: questions of which "
        "an image, decoded, is one that the model was trained on, or all but looks like one; and images too plain to "
        "be compared by their look, which are left out of that.",
        level=s.fact(sights(s)[0], RESULT, "accuracy/vision.level", "share"),
    )
    columns = [
        "task",
        "questions",
        *(CONDITIONS[one] for one in asked),
        "by chance",
        "images trained on",
        "nearly",
        "too plain to tell",
    ]
    return Table("Right answers", columns, rows, note)


def _name(s: Sources, role: str) -> Fact:
    """The name of the questions' file."""
    return s.fact(role, CONFIG, "config.questions", "stem_of_path")


def _has(s: Sources, role: str, condition: str) -> bool:
    return s.get(role, RESULT, f"accuracy/{condition}") is not None


def _score(s: Sources, role: str, condition: str) -> Cell:
    wanted = condition == "vision" or _has(s, role, condition)
    return estimate(s, (role, RESULT), f"accuracy/{condition}") if wanted else NONE


def _known(s: Sources, role: str, name: str, form: str) -> Cell:
    """Nothing where it is not known what a model was trained on."""
    return s.result(role, name, form) if s.get(role, RESULT, name) is not None else NONE


def _training(s: Sources) -> Pairs:
    measures = [("documents with images", "documents", "count"), ("of these too long for a row", "too_long", "count"),
                ("steps", "steps", "count"), ("tokens, those of images and of text among them", "tokens", "count"),
                ("FLOPs", "flops", "flops"), ("parameters", "n_params", "count"),
                ("share of the encoder", "encoder/share", "share"),
                ("held-out loss, nats per token of an answer", "val/loss", "loss4"),
                ("held-out text afterwards, bits per byte", "text/bpb", "loss4")]  # fmt: skip
    there = [one for one in measures if s.get(TRAINED, RESULT, one[1]) is not None or one[1] in ("tokens", "flops")]
    rows: list[tuple[str, Cell]] = [(label, s.result(TRAINED, name, form)) for label, name, form in there]
    before = s.result("target", "val/bpb", "loss4")
    return Pairs("How it learned to see", [*rows, *([] if before.missing else [("and the target’s", before)])])


# ---- examples -------------------------------------------------------------------------------------------------------


def _gallery(s: Sources, role: str) -> Block:
    """The first questions with their pictures, right and wrong alike."""
    rows = s.rows(role, SAMPLES)[:SHOWN]
    if not rows:
        return absent(s, role, SAMPLES)
    caption = Text("{name}: the first questions, unpicked", name=_name(s, role))
    return Gallery(caption, [_example(s, role, number) for number in range(len(rows))])


def _example(s: Sources, role: str, number: int) -> Shown:
    def fact(key: str, form: str = "auto") -> Fact:
        return s.fact(role, SAMPLES, f"{number}.{key}", form)

    conditions = [one for one in CONDITIONS if s.get(role, SAMPLES, f"{number}.scores.{one}") is not None]
    asked = Text("{prompt} Right: {answer}.", prompt=fact("prompt"), answer=fact("shown"))
    said = [
        Text(f"{CONDITIONS[one]}: {{said}} ({{verdict}})", said=fact(f"completion.{one}", "sample"),
             verdict=fact(f"scores.{one}", "right"))
        for one in conditions
    ]  # fmt: skip
    of = f"question {number + 1} of {_name(s, role)}"
    alts = {"image": f"the image of {of}", "attention": f"where the model looked in the image of {of}, lit"}
    images = [_image(s, role, number, key, alt) for key, alt in alts.items() if key in s.rows(role, SAMPLES)[number]]
    return Shown(asked, said, [image for image in images if image])


def _image(s: Sources, role: str, number: int, key: str, alt: str) -> Image | None:
    name = str(s.get(role, SAMPLES, f"{number}.{key}"))
    return s.image(role, name, alt) if PLACE.fullmatch(name) else None


def _limits() -> Items:
    return Items(
        [
            Text(
                "Drawings made by a program are easier than photographs: few shapes, few words, nothing hidden. What "
                "is seen here says that the parts work, not that a model of this size sees the world."
            ),
            Text(
                "Where the model looked is the mean over its layers and heads at the place before the answer. It is a "
                "picture of attention and not of reasons."
            ),
            Text(
                "The numbers are of one seed. The intervals say how far other questions of this kind would move them, "
                "not how far another training would. Every answer is in `tables/answers.csv` of its run."
            ),
        ]
    )
