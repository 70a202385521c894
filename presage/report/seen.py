"""What a report says of images: what a training read of them, and the target that was trained on them."""

from __future__ import annotations

from presage.report import machine
from presage.report.blocks import Block, Cell, Pairs, Section, Text
from presage.report.facts import Fact, Sources
from presage.report.kinds import images
from presage.report.tables import form_of
from presage.report.texts import SHAPE

INDEX, CONFIG, RESULT, ORIGIN = "artifacts/index.json", "config.json", "result.json", "origin.json"
ENCODER = (("layers", "n_layers"), ("width", "d_model"), ("heads", "n_heads"), ("hidden width", "d_ff"),
           ("width of the projector", "d_project"), ("edge of a patch, pixels", "patch"),
           ("edge of a token, patches", "merge"), ("tokens of an image, at most", "most_tokens"), ("stem", "stem"),
           ("channels of the stem", "stem_width"))  # fmt: skip
RECIPE = (("trunk frozen", "freeze"), ("of the rates, the trunk's", "trunk_rate"), ("changes of images", "augment"),
          ("passes over the images", "epochs"), ("rows of an update", "batch_rows"),
          ("text among the rows", "text_share"))  # fmt: skip
MEASURES = (("documents", "documents", "count"), ("documents too long for a row", "too_long", "count"),
            ("rows that they fill", "rows", "count"), ("tokens, those of images too", "tokens", "count"),
            ("steps", "steps", "count"), ("steps skipped", "skipped_steps", "count"),
            ("FLOPs, by the exact formula", "flops", "flops"),
            ("the encoder's share of FLOPs", "encoder/share", "share"))  # fmt: skip
COUNTS = (("training: documents", "train/documents"), ("training: tokens", "train/tokens"),
          ("training: tokens of images", "train/image_tokens"), ("training: tokens learned", "train/learned_tokens"),
          ("held out: documents", "val/documents"), ("held out: tokens asked for", "val/learned_tokens"),
          ("pictures, equal ones once", "pictures"))  # fmt: skip
GRID = (("edge of a patch, pixels", "patch"), ("edge of a token, patches", "merge"),
        ("tokens of an image, at most", "most_tokens"))  # fmt: skip


def given(s: Sources) -> bool:
    """Whether runs of images were given, or a chain of images has to have them."""
    return bool(images(s))


def section(s: Sources) -> Section:
    """Documents and pictures of every run of images, and their digests."""
    digests: list[tuple[str, Cell]] = [pair for role in images(s) for pair in _digests(s, role)]
    return Section("seen", "What it saw", [*(_documents(s, role) for role in images(s)), Pairs("Digests", digests)])


def _documents(s: Sources, role: str) -> Pairs:
    rows: list[tuple[str, Cell]] = [("records", name) for name in _names(s, role)]
    rows += [(label, s.result(role, name, "count")) for label, name in COUNTS]
    rows += [(label, s.fact(role, INDEX, f"grid.{name}")) for label, name in GRID]
    rows += [("chance to be held out", s.fact(role, CONFIG, "config.held_out", "share")),
             ("images replaced by a tag", s.fact(role, CONFIG, "config.blind"))]  # fmt: skip
    return Pairs("Documents and pictures", rows)


def _names(s: Sources, role: str) -> list[Fact]:
    """The names of its files of records."""
    count = len(s.get(role, CONFIG, "config.records", [None]))
    return [s.fact(role, CONFIG, f"config.records.{number}", "stem_of_path") for number in range(count)]


def _digests(s: Sources, role: str) -> list[tuple[str, Cell]]:
    files = [s.fact(role, ORIGIN, f"parents.records.{number}.digest") for number in range(len(_names(s, role)))]
    return [
        (f"{role}: the run", s.fact(role, "DONE", "digest")),
        *((f"{role}: a file of records", digest) for digest in files),
        (f"{role}: the run with its tokenizer", _parent(s, role, "tokenizer")),
    ]


def _parent(s: Sources, run: str, name: str) -> Fact:
    """The digest of a run that another began with; where it began with none, that."""
    none = s.has(run, CONFIG) and s.get(run, CONFIG, f"config.{name}") is None
    return s.fact(run, CONFIG, f"config.{name}", "setting") if none else s.fact(run, ORIGIN, f"parents.{name}.digest")


# ---- the target -----------------------------------------------------------------------------------------------------


def target(s: Sources) -> list[Block]:
    """Its trunk and its encoder, what it began with, its training and what came of it."""
    trunk: list[tuple[str, Cell]] = [(label, _setting(s, f"model.{key}")) for label, key in SHAPE]
    trunk.append(("parameters with the encoder", s.result("target", "n_params", "count")))
    encoder: list[tuple[str, Cell]] = [(label, _setting(s, f"model.vision.{key}")) for label, key in ENCODER]
    return [
        Pairs("Model: the trunk", trunk),
        Pairs("Model: the encoder in front of it", encoder),
        Pairs("Begun with", _begun_with(s)),
        Pairs("Training", _training(s)),
        Pairs("What came of it", _outcome(s)),
    ]


def _begun_with(s: Sources) -> list[tuple[str, Cell]]:
    """The base, if any, and the data, as the target wrote them down before its first step."""
    parents = [name for name in s.get("target", ORIGIN, "parents", {}) if name != "forecast"]
    rows: list[tuple[str, Cell]] = [] if "base" in parents else [("base", _parent(s, "target", "base"))]
    for name in parents:
        rows += [(f"{name}: stage", s.fact("target", ORIGIN, f"parents.{name}.stage")),
                 (f"{name}: digest", s.fact("target", ORIGIN, f"parents.{name}.digest"))]  # fmt: skip
    return rows


def _training(s: Sources) -> list[tuple[str, Cell]]:
    forms = {"trunk_rate": "share", "text_share": "share"}
    rows: list[tuple[str, Cell]] = [(label, s.result("target", name, form)) for label, name, form in MEASURES]
    return [*rows, *((label, _setting(s, key, forms.get(key, "setting"))) for label, key in RECIPE)]


def _outcome(s: Sources) -> list[tuple[str, Cell]]:
    """The loss of held-out answers, and that of text where some was among the rows."""
    rows: list[tuple[str, Cell]] = [
        ("held-out answers, nats per token", s.result("target", "val/loss", "loss4")),
        ("± standard error of that", s.result("target", "val/loss", "loss4", "stderr")),
        ("tokens of these answers", s.result("target", "val/loss", "count", "n")),
    ]
    text = s.get("target", RESULT, "text/bpb") is not None
    own: list[tuple[str, Cell]] = [("held-out text, bits per byte", s.result("target", "text/bpb", form_of("bpb")))]
    return [*rows, *(own if text else [])]


def _setting(s: Sources, key: str, form: str = "setting") -> Fact:
    return s.fact("target", CONFIG, f"config.{key}", form)


def limits(s: Sources) -> list[Text]:
    """What the promise does not say."""
    return [
        Text(
            "The promise is about one number, nats per token of held-out answers to documents of this kind, for one "
            "recipe. It does not say how many questions are answered right, and nothing about other images, other "
            "questions, another recipe, encoder or tokenizer."
        ),
        Text(
            "The assumptions about a law that come with presage were set on ladders of text. What is learned of images "
            "may set in late and then at once: where that is after the rungs, none of them shows it."
        ),
    ]


def disclosed(s: Sources) -> list[list[Cell]]:
    """Rows of what the GPT-4 report withheld: what is withheld there, and this run's."""

    def model(name: str) -> Fact:
        return _setting(s, f"model.{name}")

    sets = {f"set{number}": _set(s, role) for number, role in enumerate(images(s))}
    return [
        ["Architecture", Text(
            "decoder-only Transformer, {l} layers of width {d}, {h} heads, hidden width {f}, context {t}, "
            "position {p}, normalisation {n} ({b}), hidden layer {m}; in front of it an encoder of images, {el} layers "
            "of width {ed}, {eh} heads, hidden width {ef}, patches of {ep} pixels, {em} of which a side make a token",
            l=model("n_layers"), d=model("d_model"), h=model("n_heads"), f=model("d_ff"), t=model("context_length"),
            p=model("position"), n=model("norm"), b=model("block"), m=model("mlp"), el=model("vision.n_layers"),
            ed=model("vision.d_model"), eh=model("vision.n_heads"), ef=model("vision.d_ff"), ep=model("vision.patch"),
            em=model("vision.merge"))],
        ["Model size", Text("{n} parameters, the encoder's among them", n=s.result("target", "n_params", "count"))],
        ["Hardware", machine.hardware(s)],
        ["Training compute", Text("{c} FLOPs by the exact formula, {e} of them the encoder's",
                                  c=s.result("target", "flops", "flops"),
                                  e=s.result("target", "encoder/share", "share"))],
        ["Dataset construction", Text("; ".join(f"{{{name}}}" for name in sets), **sets)],
        ["Training method", Text(
            "next-token prediction, of a conversation the answers alone, on {t} tokens, those of images among them, in "
            "{n} steps, {o}; every setting is in `target/config.json`",
            t=s.result("target", "tokens", "count"), n=s.result("target", "steps", "count"),
            o=machine.optimizer(s))],
    ]  # fmt: skip


def _set(s: Sources, role: str) -> Text:
    """One run of images in a line."""
    named = {f"n{number}": name for number, name in enumerate(_names(s, role))}
    return Text(
        "{names}: {d} documents to train on, {v} held out by chance, {p} pictures; digest {h}",
        names=Text(", ".join(f"{{{name}}}" for name in named), **named),
        d=s.result(role, "train/documents", "count"),
        v=s.result(role, "val/documents", "count"),
        p=s.result(role, "pictures", "count"),
        h=s.fact(role, "DONE", "digest", "hex12"),
    )
