"""Families of models that exist: the forecast knows nothing of its target, and bits per byte are presage's own."""

from __future__ import annotations

import csv
import importlib
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import presage.cli.family
from presage import cli
from presage.core.errors import ConfigError, CorruptError, DataError, RunError
from presage.data.bpe import Tokenizer
from presage.forecast import family
from presage.forecast.family import Member, describe_hf, examine_hf
from presage.model.config import ModelConfig, qwen3
from presage.model.exchange import export_hf
from presage.model.transformer import Transformer, build
from presage.train.pretrain import bits_per_byte
from tests.imports import ROOT
from tests.model.shapes import CONFIGS, lively, make_run

assert presage.cli.family  # adds its verb
TEXT = (
    "The cat sat on the mat, and the dog sat on the log: “neither of them”, said the owl, “sat on a café chair”.\n" * 4
)
VOCAB, CONTEXT = 300, 24
TEXTS = ["any text"]
PUBLISHED = ROOT.parent / "shared/data/forecast/cerebras_gpt/cerebras_pythia_pile_loss.csv"

# ---- the forecast, on made-up members -------------------------------------------------------------------------------

SIZES = (1e7, 3e7, 1e8, 3e8, 1e9, 1e10)
TOKENS = 3e11


def law(compute: float) -> float:
    """A family's loss in bits per byte: five eighths of what 1e22 FLOPs reach is floor."""
    return 0.5 + 0.3 * (compute / 1e22) ** -0.15


class Made:
    """Members whose sizes are given and whose losses follow the law; keeps what was examined, in order."""

    def __init__(self, sizes: tuple[float, ...] = SIZES, target: float = 1.0) -> None:
        self.paths = [Path(f"m{i}") for i in range(len(sizes))]
        self.sizes, self.target, self.examined = dict(zip(self.paths, sizes, strict=True)), target, list[str]()

    def describe(self, path: Path) -> Member:
        n = int(self.sizes[path])
        return Member(path, 2 * n, n, context_length=1024 if path == self.paths[0] else 512)

    def examine(self, member: Member, texts: Any, window: int) -> float:
        assert (list(texts), window) == (TEXTS, 512)
        self.examined.append(member.path.name)
        loss = law(6 * member.n_params_non_embedding * TOKENS)
        return loss * self.target if member.path == self.paths[-1] else loss

    def forecast(self, **options: Any) -> dict[str, Any]:
        return family.forecast(self.paths, TEXTS, describe=self.describe, examine=self.examine, **options)


@pytest.mark.parametrize("tokens", [(TOKENS,), ()])
def test_a_family_that_follows_a_law_is_forecast(tokens: tuple[float, ...]) -> None:
    found = Made().forecast(tokens=tokens)
    promise, score = found["forecast"], found["score"]
    assert abs(score["error_percent"]) < 2.0 and score["inside"] is True
    assert promise["lo"] < promise["point"] < promise["hi"] and promise["level"] == 0.9
    assert promise["extrapolation"] == pytest.approx(10)
    assert score["actual"] == law(6e10 * TOKENS)
    assert found["axis"] == ("compute, 6ND" if tokens else "n_params_non_embedding")
    place = 6e10 * TOKENS if tokens else 1e10
    curve = promise["law"]
    assert curve["a"] * place ** curve["b"] + curve["c"] == pytest.approx(promise["point"], rel=0.02)
    assert any("the axis is parameters" in warning for warning in promise["warnings"]) is not bool(tokens)


def test_the_target_is_opened_after_the_promise_and_never_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made, poisoned, said = Made(), Made(target=100.0), list[str]()
    monkeypatch.setattr(family, "note", lambda text: said.append(f"{len(made.examined)} {text}"))
    plain = made.forecast()
    assert made.examined == ["m0", "m1", "m2", "m3", "m4", "m5"]
    assert [line[0] for line in said if "promised" in line] == ["5"], "the promise is made when five were examined"
    assert poisoned.forecast()["forecast"] == plain["forecast"]
    assert poisoned.forecast()["score"]["inside"] is False


def test_a_smaller_member_can_be_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made, said = Made(), list[str]()
    monkeypatch.setattr(family, "note", said.append)
    found = made.forecast(hold_out=made.paths[4])
    assert made.examined == ["m0", "m1", "m2", "m3", "m4"], "larger ones are not even examined"
    assert [row["fitted"] for row in found["members"]] == [True] * 4 + [False]
    assert "m5: not smaller than m4, not used" in said


def test_two_of_a_size_are_two_points_of_one_budget() -> None:
    made = Made(sizes=(1e7, 3e7, 3e7, 1e8, 1e9))
    assert len(made.forecast()["members"]) == 5
    with pytest.raises(DataError, match="only 2 smaller sizes to forecast it from"):
        made.forecast(hold_out=made.paths[3])  # three members of two sizes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hold_out": Path("m2")}, r"m2: only 2 smaller sizes to forecast it from \(4 sizes are needed in all\)"),
        ({"hold_out": Path("m9")}, "m9: is not among the models"),
        ({"tokens": (1e9, 2e9)}, "2 numbers of tokens for 6 models"),
        ({"tokens": (-1.0,)}, "1 numbers of tokens for 6 models"),
    ],
)
def test_what_cannot_be_forecast(options: dict[str, Any], message: str) -> None:
    made = Made()
    with pytest.raises(DataError, match=message):
        made.forecast(**options)
    assert made.examined == []


def test_no_text_and_the_same_twice() -> None:
    made = Made()
    with pytest.raises(DataError, match="no text"):
        family.forecast(made.paths, [""], describe=made.describe, examine=made.examine)
    with pytest.raises(DataError, match="m0: is named twice"):
        family.forecast([*made.paths, Path("m0")], TEXTS, describe=made.describe, examine=made.examine)


def test_published_families() -> None:
    """The largest of each family from its smaller ones, on losses that others measured (nats a token, on the Pile)."""
    if not PUBLISHED.is_file():
        pytest.skip(f"no {PUBLISHED}")
    with open(PUBLISHED, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["pile_test_xent"] and row["tokens"]]
    scores = {}
    for name in ("Cerebras-GPT", "Cerebras-GPT-muP", "Pythia", "Pythia-deduped"):
        known = {Path(row["params_label"]): row for row in rows if row["family"] == name}
        scores[name] = family.forecast(
            list(known),
            TEXTS,
            tokens=[float(row["tokens"]) for row in known.values()],
            describe=lambda path, known=known: Member(path, 0, int(float(known[path]["params"])), 2048),
            examine=lambda member, *_, known=known: float(known[member.path]["pile_test_xent"]),
        )["score"]
    assert {name for name, score in scores.items() if abs(score["error_percent"]) > 3.5} == set()
    assert sum(score["inside"] for score in scores.values()) >= 3


# ---- real members ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(Tokenizer.train([TEXT], VOCAB).to_json())
    return path


def exported(folder: Path, model: Transformer, tokenizer: Path) -> Path:
    return export_hf(make_run(folder / "run", model, tokenizer), folder / "hf")


def ours(model: Transformer, tokenizer: Path, text: str) -> float:
    """Bits per byte by the function that pretraining reports, on whole windows."""
    known = Tokenizer.load(tokenizer)
    stream = np.array([known.eot, *known.encode(text)])
    windows = (len(stream) - 1) // CONTEXT
    assert windows * CONTEXT == len(stream) - 1
    x, y = (stream[offset : offset + windows * CONTEXT].reshape(windows, CONTEXT) for offset in (0, 1))
    return bits_per_byte(model, (x, y), known.token_bytes(), None)["val/bpb"][0]


def whole_windows(tokenizer: Path) -> str:
    """As much of the text as fills windows exactly."""
    known = Tokenizer.load(tokenizer)
    ends = (n for n in range(len(TEXT), 0, -1) if len(known.encode(TEXT[:n])) % CONTEXT == 0)
    return TEXT[: next(ends)]


@pytest.mark.parametrize("name", ["qwen3", "llama", "gpt2"])
def test_bits_per_byte_are_those_of_pretraining(name: str, tokenizer: Path, tmp_path: Path) -> None:
    model = lively(CONFIGS[name].model_copy(update={"vocab_size": VOCAB}))
    folder, text = exported(tmp_path, model, tokenizer), whole_windows(tokenizer)
    member = describe_hf(folder)
    assert (member.n_params, member.n_params_non_embedding) == (
        model.config.n_params,
        model.config.n_params_non_embedding,
    )
    assert member.context_length == CONTEXT and member.tokens is None
    assert examine_hf(member, [text], CONTEXT) == pytest.approx(ours(model, tokenizer, text), abs=1e-4)


def test_every_byte_counts_once_whatever_the_window(tokenizer: Path, tmp_path: Path) -> None:
    """A model that knows only frequencies: windows and cuts into files make no difference but for each opening."""
    known = Tokenizer.load(tokenizer)
    model = frequencies(shape(1, 16), 0.5, known.encode(TEXT))
    member = describe_hf(exported(tmp_path, model, tokenizer))
    bits = examine_hf(member, [TEXT], CONTEXT)
    assert bits == pytest.approx(expected(0.5, known.encode(TEXT), len(TEXT.encode())), rel=1e-5)
    for window in (1, 7, 23):
        assert examine_hf(member, [TEXT], window) == pytest.approx(bits, rel=1e-5)
    half = len(TEXT) // 2
    assert examine_hf(member, [TEXT[:half], "", TEXT[half:]], 9) == pytest.approx(bits, rel=1e-5)
    config = json.loads((member.path / "config.json").read_text())
    (member.path / "config.json").write_text(json.dumps(config | {"bos_token_id": None, "eos_token_id": None}))
    ids, skipped = known.encode(TEXT)[1:], known.token_bytes()[known.encode(TEXT)[0]]
    rest = expected(0.5, known.encode(TEXT), len(TEXT.encode()) - int(skipped), ids)
    assert examine_hf(member, [TEXT], 9) == pytest.approx(rest, rel=1e-5), "without an opening the first is not counted"


def test_special_tokens_in_a_text_are_text(tokenizer: Path, tmp_path: Path) -> None:
    model = lively(CONFIGS["qwen3"].model_copy(update={"vocab_size": VOCAB}))
    member = describe_hf(exported(tmp_path, model, tokenizer))
    known, text = Tokenizer.load(tokenizer), "the <|endoftext|> of it"
    found = family._tokenizer(member.path / "tokenizer.json").encode(text, add_special_tokens=False).ids
    assert found == known.encode(text) and known.eot not in found
    assert math.isfinite(examine_hf(member, [text], CONTEXT))


def shape(n_layers: int, d_model: int) -> ModelConfig:
    return qwen3(VOCAB, CONTEXT, n_layers, d_model, n_heads=2, n_kv_heads=2, d_head=8)


def mixture(share: float, ids: list[int]) -> torch.Tensor:
    """Token probabilities: their frequencies, blurred."""
    counts = torch.bincount(torch.tensor(ids), minlength=VOCAB).double()
    return (1 - share) * counts / counts.sum() + share / VOCAB


def expected(share: float, ids: list[int], size: int, counted: list[int] | None = None) -> float:
    chosen = torch.tensor(ids if counted is None else counted)
    return -float(mixture(share, ids)[chosen].log2().sum()) / size


def frequencies(config: ModelConfig, share: float, ids: list[int]) -> Transformer:
    """A model of any size that gives every token the same probability wherever it is."""
    model = build(config, 0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                parameter.zero_()
        model.embed.weight.fill_(1.0)
        logits = mixture(share, ids).log().float()
        model.head.weight.copy_(logits[:, None].expand(-1, config.d_model) / config.d_model)
    return model.eval()


def at_loss(bits: float, ids: list[int], size: int) -> float:
    """How much to blur for this many bits per byte, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(max(middle, 1e-12), ids, size) < bits else (low, middle)
    return high


@pytest.fixture(scope="module")
def members(tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four exported models whose bits per byte fall with size as a power of size, above a floor."""
    ids, root = Tokenizer.load(tokenizer).encode(TEXT), tmp_path_factory.mktemp("members")
    size = len(TEXT.encode())
    best, worst = expected(1e-12, ids, size), expected(1.0, ids, size)
    shapes = [shape(*pair) for pair in ((1, 16), (2, 24), (3, 48), (4, 96))]
    first, floor = 0.5 * (best + worst), 0.5 * best
    folders = []
    for number, config in enumerate(shapes):
        ratio = config.n_params_non_embedding / shapes[0].n_params_non_embedding
        share = at_loss(floor + (first - floor) * ratio**-0.1, ids, size)
        folders.append(exported(root / str(number), frequencies(config, share, ids), tokenizer))
    return folders


def test_a_family_from_files_to_score(members: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    table, shuffled = tmp_path / "members.csv", [str(members[i]) for i in (2, 0, 3, 1)]
    command = ["forecast", "family", *shuffled, "--text", str(tmp_path / "text.txt"), "--out", str(table)]
    assert cli.main([*command, "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["text"]["bytes"] == len(TEXT.encode()) and found["window"] == CONTEXT
    assert [row["model"] for row in found["members"]] == [str(path) for path in members]
    assert found["forecast"]["model"] == str(members[-1])
    assert abs(found["score"]["error_percent"]) < 3 and found["score"]["inside"]
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["fitted"] for row in rows] == ["1", "1", "1", "0"]
    assert [float(row["bpb"]) for row in rows] == [row["bpb"] for row in found["members"]]
    assert said.err.index("not been opened yet") < said.err.index(f"{members[-1]}: {rows[-1]['bpb'][:5]}")
    assert cli.main([*command, "--tokens", "1e6", "2e6", "1e6", "1e6"]) == 0
    out = capsys.readouterr().out
    assert "axis: compute, 6ND" in out and "held out" in out and ", inside" in out
    with open(table, newline="") as file:
        compute = {row["model"]: float(row["compute"]) for row in csv.DictReader(file)}
    assert compute[str(members[0])] == 6 * 2e6 * describe_hf(members[0]).n_params_non_embedding


def test_tokens_from_the_config(members: list[Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(members[0], tmp_path / "told"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"training_tokens": 5_000_000}))
    plain = describe_hf(members[0])
    assert describe_hf(folder) == replace(plain, path=folder, tokens=5_000_000)
    assert examine_hf(describe_hf(folder), [TEXT], 8) == examine_hf(plain, [TEXT], 8)


def test_bad_input_is_one_line_and_exit_code_2(
    members: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    models, text = list(map(str, members)), ["--text", str(tmp_path / "text.txt")]
    for arguments, message in (
        ([*models[:3], *text], "only 2 smaller sizes"),
        ([*models, "--text", str(tmp_path / "none.txt")], "none.txt"),
        ([*models, "--text", str(tmp_path / "latin.txt")], "latin.txt"),
        ([*models, *text, "--level", "2"], "--level must be between 0 and 1"),
        ([*models, *text, "--out", str(tmp_path / "no" / "x.csv")], "no such directory"),
        ([*models[:3], str(tmp_path), *text], "config.json: cannot be read"),
    ):
        assert cli.main(["forecast", "family", *arguments]) == 2
        said = capsys.readouterr()
        assert message in said.err and said.out == ""


def test_damaged_members_are_named(members: list[Path], tmp_path: Path) -> None:
    def broken(name: str, text: str | None) -> Member:
        folder = Path(shutil.copytree(members[0], tmp_path / name))
        member = describe_hf(folder)
        (folder / name).unlink()
        if text is not None:
            (folder / name).write_text(text)
        return member

    for name, text, kind, message in (
        ("tokenizer.json", None, RunError, r"tokenizer\.json: missing file"),
        ("tokenizer.json", "{}", CorruptError, r"tokenizer\.json: not a tokenizer\.json"),
        ("model.safetensors", None, RunError, r"model\.safetensors: missing file"),
        ("model.safetensors", "x", CorruptError, r"model\.safetensors: not a whole safetensors file"),
        ("config.json", "[", CorruptError, r"config\.json: not JSON"),
    ):
        member = broken(name, text)
        with pytest.raises(kind, match=message):
            examine_hf(member, [TEXT], CONTEXT)
        shutil.rmtree(member.path)


# ---- other families -------------------------------------------------------------------------------------------------


def test_without_transformers_another_family_is_one_clear_line(
    members: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(family.importlib, "import_module", missing)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt_neox"}))
    with pytest.raises(ConfigError, match=r"presage does not compute this model \(.*\), and transformers is not"):
        describe_hf(tmp_path)


def test_another_family_through_transformers(tokenizer: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers.models.auto")
    neox = importlib.import_module("transformers.models.gpt_neox")
    eot = Tokenizer.load(tokenizer).eot
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = neox.GPTNeoXConfig(
        vocab_size=VOCAB, max_position_embeddings=CONTEXT, bos_token_id=eot, eos_token_id=eot, **sizes
    )
    torch.manual_seed(0)
    model = neox.GPTNeoXForCausalLM(config).eval()
    model.save_pretrained(tmp_path)
    shutil.copyfile(tokenizer, tmp_path / "tokenizer.json")
    member = describe_hf(tmp_path)
    total = sum(p.numel() for p in model.parameters())
    assert (member.n_params, member.n_params_non_embedding) == (total, total - 2 * VOCAB * 32)
    assert member.context_length == CONTEXT
    ids = [eot, *Tokenizer.load(tokenizer).encode(TEXT)]
    nats = 0.0
    for start in range(0, len(ids) - 1, 10):
        part = torch.tensor(ids[start : start + 11])
        with torch.no_grad():
            logits = model(part[None, :-1]).logits[0]
        nats += float(torch.nn.functional.cross_entropy(logits, part[1:], reduction="sum"))
    bits = nats / math.log(2) / len(TEXT.encode())
    assert examine_hf(member, [TEXT], 10) == pytest.approx(bits, abs=1e-4)
