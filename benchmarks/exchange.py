"""Our models in other engines, and theirs in ours: logits, ids, perplexity and tokens that differ.

Small models of every family are trained for a moment on Python's own documentation. transformers reads their export and
we read its directories; llama.cpp (xllamacpp, where it is installed) reads their GGUF files.
"""

from __future__ import annotations

import json
import math
import random
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from pydoc_data.topics import topics

import torch
from harness.exported import as_run
from harness.llama_cpp import LlamaCpp
from harness.report import entry, options, publish, table
from torch import Tensor

from presage.core.estimates import student
from presage.data.bpe import PATTERNS, Tokenizer
from presage.data.documents import read_bytes
from presage.model.config import ModelConfig, gpt2, qwen3
from presage.model.exchange import export_hf, import_hf, load_hf
from presage.model.gguf_export import PRE, export_gguf
from presage.model.rope import Llama3, Yarn
from presage.model.transformer import Transformer, build
from presage.model.weights import MODEL_FILE

VOCAB, CONTEXT, NEW, PROMPT, WINDOW = 1024, 128, 64, 24, 64
KINDS = ("f32", "bf16", "q8_0")
_WIDE = {"n_heads": 4, "n_kv_heads": 2, "d_head": 32}
_QWEN3 = qwen3(VOCAB, CONTEXT, 2, 128, **_WIDE)
_LLAMA = _QWEN3.model_copy(update={"qk_norm": False})
_GPT = {"n_layers": 2, "d_model": 128, "n_heads": 4, "n_kv_heads": 4, "d_head": 32, "d_ff": 512}
SHAPES = {
    "GPT-2": ModelConfig.parse(gpt2("124M", VOCAB, CONTEXT).model_dump() | _GPT),
    "Llama": _LLAMA,
    "Llama, scaled as 3.1": _LLAMA.model_copy(update={"rope_scaling": Llama3(factor=8, original=32)}),
    "Qwen2": _LLAMA.model_copy(update={"qkv_bias": True}),
    "Qwen3": _QWEN3,
    "Qwen3, YaRN": _QWEN3.model_copy(update={"rope_scaling": Yarn(factor=4, original=32)}),
}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--steps", type=int, default=20, help="of training")
    parser.add_argument("--prompts", type=int, default=3, help=f"continued by {NEW} ids")
    parser.add_argument("--windows", type=int, default=2, help=f"held-out windows of {WINDOW} ids, for perplexity")
    parser.add_argument("--gpt2", type=Path, metavar="DIR", help="GPT-2's encoder.json and vocab.bpe, plain or packed")
    parser.add_argument("--cl100k", type=Path, metavar="FILE", help="the published ranks")
    parser.add_argument("--texts", type=Path, metavar="FILE", help="JSON lines with paras, as UDHR's: also tokenised")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        parts = list(_measured(args, Path(folder)))
    publish("exchange", "Models in other engines", parts, write=args.write)


def _measured(args: Namespace, folder: Path) -> Iterator[str]:
    own = Tokenizer.train(topics.values(), VOCAB)
    (folder / "tokenizer.json").write_text(own.to_json())
    stream = torch.tensor(own.encode("\n".join(topics.values())))
    held = stream[len(stream) * 9 // 10 :]
    logits, ppl = [], []
    for name, config in SHAPES.items():
        model = _trained(config, stream[: len(stream) * 9 // 10], args.steps)
        run = as_run(model, folder / name, (folder / "tokenizer.json").read_text(encoding="utf-8"))
        there = {kind: _there(run, folder / name / f"{kind}.gguf", kind) for kind in KINDS}
        logits.append(
            [name, *_with_transformers(run, model, held), *_with_llama_cpp(there["f32"], model, held, args, own)]
        )
        ppl.append([name, *_perplexities(there, model, held, args.windows)])
        print(f"exchange: {name}", file=sys.stderr)
    said = f"Models of {SHAPES['Qwen3'].n_params:,} parameters or about so, {args.steps} steps of training each."
    heads = [
        "",
        "export: greatest logit difference",
        "import: the same",
        "weights there and back",
        "llama.cpp, f32: equal ids",
    ]
    yield "\n\n".join([said, table([*heads, "greatest difference of log p"], logits)])
    heads = ["", "ours", "f32", "bf16, change of loss", "q8_0, change of loss"]
    said = (
        f"Perplexity on {args.windows * (WINDOW - 1):,} held-out tokens, the files computed by llama.cpp; changes in "
    )
    yield "\n\n".join([f"{said}nats a token against its f32, with 95 % intervals over windows.", table(heads, ppl)])
    yield _tokenised(args, folder)


# ---- models ---------------------------------------------------------------------------------------------------------


def _trained(config: ModelConfig, stream: Tensor, steps: int) -> Transformer:
    model = build(config, 0).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    chance = torch.Generator().manual_seed(0)
    for _ in range(steps):
        starts = torch.randint(len(stream) - CONTEXT - 1, (8,), generator=chance)
        rows = torch.stack([stream[start : start + CONTEXT + 1] for start in starts])
        loss = torch.nn.functional.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@torch.no_grad()
def _with_transformers(run: Path, model: Transformer, held: Tensor) -> list[str]:
    """Greatest differences of logits, export and import, and whether weights came back to the byte."""
    from transformers import AutoConfig, AutoModelForCausalLM

    rows = held[: 4 * CONTEXT].view(4, CONTEXT)
    out = export_hf(run, run / "hf")
    theirs = AutoModelForCausalLM.from_pretrained(out, attn_implementation="eager").eval()
    there = float((theirs(rows).logits - model(rows)).abs().max())
    torch.manual_seed(1)
    drawn = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(out, initializer_range=0.1)).eval()
    for name, parameter in drawn.named_parameters():
        parameter.add_(0.1 * torch.randn_like(parameter)) if name.endswith("bias") else None
    drawn.save_pretrained(run / "drawn")
    (run / "drawn" / "tokenizer.json").write_bytes((out / "tokenizer.json").read_bytes())
    here = float((drawn(rows).logits - load_hf(run / "drawn")(rows)).abs().max())
    back = import_hf(out, run / "back").path / "checkpoints" / "00000000" / MODEL_FILE
    same = back.read_bytes() == (run / "checkpoints" / "00000000" / MODEL_FILE).read_bytes()
    return [f"{there:.1e}", f"{here:.1e}", "equal" if same else "DIFFER"]


# ---- llama.cpp ------------------------------------------------------------------------------------------------------


def _there(run: Path, file: Path, kind: str) -> LlamaCpp | None:
    """The file in llama.cpp; None where that is not installed."""
    export_gguf(run, file, kind)
    try:
        return LlamaCpp(file, CONTEXT)
    except ImportError:
        return None


@torch.no_grad()
def _with_llama_cpp(
    there: LlamaCpp | None, model: Transformer, held: Tensor, args: Namespace, own: Tokenizer
) -> list[str]:
    """How many greedy ids are equal up to the first that is not, and the greatest difference of log p."""
    if there is None:
        return ["not measured", "not measured"]
    prompts = held[: args.prompts * PROMPT].view(-1, PROMPT)
    ids = prompts
    for _ in range(NEW):
        last = model.logits(model.hidden(ids)[:, -1])
        last[:, own.eot] = -torch.inf
        ids = torch.cat([ids, last.argmax(dim=1, keepdim=True)], dim=1)
    equal, most = 0, 0.0
    for prompt, whole in zip(prompts.tolist(), ids.tolist(), strict=True):
        pairs = list(zip(there.greedy(prompt, NEW), whole[PROMPT:], strict=True))
        equal += next((place for place, (a, b) in enumerate(pairs) if a != b), NEW)
        expected = model(torch.tensor([whole]))[0, -1].log_softmax(-1)
        found = there.logprobs(whole, VOCAB)
        most = max([most, *(abs(value - float(expected[i])) for i, value in found.items())])
    return [f"{equal:,} of {NEW * len(prompts):,}", f"{most:.1e}"]


def _perplexities(there: dict[str, LlamaCpp | None], model: Transformer, held: Tensor, count: int) -> list[str]:
    windows = held[: count * WINDOW].view(count, WINDOW)
    with torch.no_grad():
        logp = model(windows[:, :-1]).log_softmax(-1).gather(-1, windows[:, 1:, None])
    ours = math.exp(-float(logp.mean()))
    if there["f32"] is None:
        return [f"{ours:.3f}", *["not measured"] * 3]
    losses = {kind: [_loss(one, row) for row in windows.tolist()] for kind, one in there.items() if one}
    whole = math.exp(sum(losses["f32"]) / count)
    changes = [[a - b for a, b in zip(losses[kind], losses["f32"], strict=True)] for kind in ("bf16", "q8_0")]
    return [f"{ours:.3f}", f"{whole:.3f}", *map(_interval, changes)]


def _loss(there: LlamaCpp, row: Sequence[int]) -> float:
    found = [there.logprobs(row[:place], VOCAB)[row[place]] for place in range(1, len(row))]
    return -sum(found) / len(found)


def _interval(values: Sequence[float]) -> str:
    found = student(values)
    ends = "" if found.lo is None else f" ({found.lo:+.5f} to {found.hi:+.5f})"
    return f"{found.value:+.5f}{ends}"


# ---- tokens ---------------------------------------------------------------------------------------------------------


def _tokenised(args: Namespace, folder: Path) -> str:
    """Of each split pattern, how many texts llama.cpp divides into other ids."""
    texts = {"documentation": _pieces(), "characters drawn from all of Unicode": list(_drawn(500))}
    if args.texts:
        rows = map(json.loads, read_bytes(args.texts).decode().splitlines())
        texts["languages"] = ["\n".join(row["paras"])[:2000] for row in rows]
    learned = [text for some in texts.values() for text in some]  # merges of every script, where splits would show
    found = {f"{pattern}, trained here": Tokenizer.train(learned, 8192, pattern) for pattern in PATTERNS}
    if args.gpt2:
        files = (next(args.gpt2.glob(f"{name}*")) for name in ("encoder.json", "vocab.bpe"))
        found["gpt2, published"] = Tokenizer.from_gpt2_files(*files)
    if args.cl100k:
        found["cl100k, published"] = Tokenizer.from_ranks_file(args.cl100k, "cl100k")
        found["qwen2, with cl100k's tokens"] = Tokenizer.from_ranks_file(args.cl100k, "qwen2")
    rows = []
    for name, own in found.items():
        (folder / f"{name}.json").write_text(own.to_json())
        shape = qwen3(own.n_vocab, CONTEXT, 1, 32)
        run = as_run(build(shape, 0), folder / name, (folder / f"{name}.json").read_text(encoding="utf-8"))
        there = _there(run, folder / f"{name}.gguf", "f32")
        counts = ["not measured" if there is None else _differing(there, own, some) for some in texts.values()]
        rows.append([name, f"{own.n_vocab:,}", f"`{PRE[own.pattern]}`", *counts])
        print(f"exchange: {name}", file=sys.stderr)
    said = "Texts that llama.cpp's tokenizer, by the name in the file, encodes otherwise than ours:"
    return "\n\n".join([said, table(["split pattern", "tokens", "its name there", *texts], rows)])


def _differing(there: LlamaCpp, own: Tokenizer, texts: Sequence[str]) -> str:
    return f"{sum(there.ids(text) != own.encode(text) for text in texts):,} of {len(texts):,}"


def _pieces(count: int = 500, length: int = 600) -> list[str]:
    whole = "\n".join(topics.values())
    chance = random.Random(0)
    return [whole[start : start + length] for start in (chance.randrange(len(whole) - length) for _ in range(count))]


def _drawn(count: int) -> Iterator[str]:
    """Words of characters from everywhere, assigned or not, with blanks and line ends between."""
    chance = random.Random(1)
    for _ in range(count):
        most = chance.choice((0x7F, 0x2FF, 0x2FFF, 0xFFFF, 0x10FFFF))
        codes = (
            chance.randint(1, most) if chance.random() < 0.8 else chance.choice((32, 10, 13, 9)) for _ in range(40)
        )
        yield "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)


if __name__ == "__main__":
    entry(main)
