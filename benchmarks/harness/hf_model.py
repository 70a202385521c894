"""A small Hugging Face model with its tokenizer, both trained here on Python's own documentation. No network."""

from __future__ import annotations

import json
import random
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

EOT = "<|endoftext|>"
MADE = "trained.json"
BATCH, LENGTH = 8, 256


def train(folder: Path, shape: str = "gpt2", *, steps: int = 120, context: int = 1024, vocab: int = 4096) -> Path:
    """A model directory as transformers writes it. shape: gpt2 (learned positions) or llama (rotary).

    Enough steps make likelihoods differ from option to option; with 0 steps the weights are random. A folder that
    holds a model already is left as it is. trained.json says how one was made.
    """
    if (folder / "config.json").is_file():
        return folder
    import torch
    from transformers import PreTrainedTokenizerFast

    tokenizer = _tokenizer([*topics.values()], vocab)
    torch.manual_seed(0)
    model = _model(shape, context, vocab)
    ids = torch.tensor(tokenizer.encode(EOT.join(topics.values())).ids)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    chance = random.Random(0)
    for step in range(steps):
        places = (chance.randrange(len(ids) - LENGTH) for _ in range(BATCH))
        # Windows begin anywhere in the context, so that no learned position stays as it was drawn.
        first = chance.randrange(context - LENGTH + 1)
        batch = torch.stack([ids[place : place + LENGTH] for place in places])
        positions = torch.arange(first, first + LENGTH).expand(BATCH, -1)
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 20, 2 * (1 - step / steps))
        model(batch, labels=batch, position_ids=positions).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=EOT, eos_token=EOT)
    fast.save_pretrained(folder)
    made = f"{shape}, {context} tokens of context, trained for {steps} steps on Python's documentation"
    (folder / MADE).write_text(json.dumps(made), encoding="utf-8")
    return folder


def described(folder: Path) -> str:
    """How the model of a folder was made, as far as it is known."""
    made = folder / MADE
    return str(json.loads(made.read_text(encoding="utf-8"))) if made.is_file() else folder.name


def _tokenizer(texts: list[str], vocab: int) -> Any:
    """Byte-level BPE: every text can be written."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=[EOT], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _model(shape: str, context: int, vocab: int) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    ends = {"vocab_size": vocab, "bos_token_id": 0, "eos_token_id": 0}
    if shape == "gpt2":
        sizes = {"n_positions": context, "n_embd": 128, "n_layer": 3, "n_head": 4}
        return GPT2LMHeadModel(GPT2Config(**ends, **sizes, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0))
    heads = {"num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2}
    widths = {"hidden_size": 128, "intermediate_size": 384, "max_position_embeddings": context}
    return LlamaForCausalLM(LlamaConfig(**ends, **heads, **widths, tie_word_embeddings=True))
