"""Byte-level BPE: trained with `tokenizers`, encoded with `tiktoken`, the same ids through both.

Ids are laid out as GPT-2's: 256 bytes, then merges in the order learned, then special tokens. Text never yields a
special token: "<|endoftext|>" typed by a user is encoded as the thirteen characters it is.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import tiktoken
from tokenizers import AddedToken, Regex, decoders, normalizers, pre_tokenizers
from tokenizers import Tokenizer as HfTokenizer
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from presage.core.errors import ConfigError, CorruptError, DataError
from presage.data.documents import read_bytes

EOT = "<|endoftext|>"
ENDS = (EOT, "<|end_of_text|>")
"""What tokenizers call the end of a text: ours, GPT's and Qwen's, and Llama 3's."""

# The split patterns as published with GPT-2 (encoder.py), with cl100k_base (tiktoken_ext/openai_public.py), which is
# also Llama 3's, and with Qwen2 (tokenizer.json).
PATTERNS = {
    "gpt2": r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""",
    "cl100k": r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"""
    r"""| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    "qwen2": r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"""
    r"""| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
}
# The regular expression engine recurses on blanks: millions in a row overflow its stack. Longer runs are cut (as in the
# Llama 3 tokenizer, which cuts at 25,000); up to here ids are those of the plain pattern.
LONGEST_BLANK = 10_000
_LONG_BLANK = re.compile(rf"(?<!\s)\s{{{LONGEST_BLANK + 1},}}")


class Tokenizer:
    """Text to ids and back. Make one with `load`, `train`, `from_gpt2_files` or `from_ranks_file`."""

    def __init__(self, ranks: dict[bytes, int], specials: dict[str, int], pattern: str, *, nfc: bool = False) -> None:
        ordinary = next((token for token in specials if token.encode() in ranks), None)
        if ordinary is not None:
            raise ConfigError(f"the special token '{ordinary}' is also an ordinary token", hint="choose another name")
        self.pattern, self.ranks, self.specials = pattern, ranks, specials
        self.nfc = nfc  # texts are composed first (Unicode NFC), as Qwen's
        self._encoding = tiktoken.Encoding(
            "presage", pat_str=PATTERNS[pattern], mergeable_ranks=ranks, special_tokens=specials
        )

    # ---- encoding -------------------------------------------------------------------------------------------------

    def encode(self, text: str) -> list[int]:
        """Ids of a text; special tokens in it stay text."""
        text = unicodedata.normalize("NFC", text) if self.nfc else text
        pieces = _cut_blanks(text)
        if len(pieces) == 1:
            return self._encoding.encode_ordinary(text)
        return [i for piece in pieces for i in self._encoding.encode_ordinary(piece)]

    def encode_batch(self, texts: Sequence[str], threads: int = 2) -> list[list[int]]:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self.encode, texts))

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids; bytes that are not UTF-8 (a token cut from a character) become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes that ids stand for. DataError when one is outside the vocabulary."""
        try:
            return b"".join([self._spellings[int(i)] for i in ids])
        except KeyError as error:
            raise DataError(f"token id {error} is outside the vocabulary of {self.n_vocab}") from None

    @cached_property
    def _spellings(self) -> dict[int, bytes]:
        specials = {index: token.encode() for token, index in self.specials.items()}
        return {index: token for token, index in self.ranks.items()} | specials

    @property
    def n_vocab(self) -> int:
        return self._encoding.n_vocab

    @property
    def eot(self) -> int:
        """Id of <|endoftext|>, or of what Llama 3 calls so. Raises ConfigError when the tokenizer has none."""
        end = next((name for name in ENDS if name in self.specials), None)
        if end is None:
            raise ConfigError(f"this tokenizer has no {EOT}")
        return self.specials[end]

    def token_bytes(self) -> np.ndarray:
        """UTF-8 bytes of each token: int32 [n_vocab]; 0 for special tokens, which stand for no text."""
        lengths = np.zeros(self.n_vocab, np.int32)
        for token, index in self.ranks.items():
            lengths[index] = len(token)
        return lengths

    # ---- making ---------------------------------------------------------------------------------------------------

    @classmethod
    def train(
        cls, texts: Iterable[str], vocab_size: int, pattern: str = "gpt2", specials: Sequence[str] = (EOT,)
    ) -> Self:
        """Learn merges. Raises ConfigError for a vocabulary below 256 bytes plus specials, DataError when the texts
        hold too few distinct pairs for it."""
        if len(set(specials)) < len(specials) or not all(specials):
            raise ConfigError(f"special tokens must differ and not be empty: {list(specials)}")
        merged = vocab_size - len(specials)
        if merged < 256:
            raise ConfigError(
                f"vocab_size {vocab_size} is too small: 256 bytes and {len(specials)} special tokens come first",
                hint=f"at least {256 + len(specials)}",
            )
        model = _hf_tokenizer(pattern, [], {}, {})
        trainer = BpeTrainer(vocab_size=merged, show_progress=False, initial_alphabet=list(_BYTE_OF))
        pieces = (piece for text in texts for piece in _cut_blanks(text))
        model.train_from_iterator(pieces, trainer)
        if model.get_vocab_size() < merged:
            found = model.get_vocab_size() + len(specials)
            raise DataError(f"too little text for {vocab_size} tokens: it yields {found}", hint=f"vocab_size={found}")
        state = json.loads(model.to_str())["model"]
        return cls(
            {_to_bytes(token): index for token, index in state["vocab"].items()},
            {token: merged + i for i, token in enumerate(specials)},
            pattern,
        )

    @classmethod
    def of_bytes(cls) -> Self:
        """The 256 bytes and an end of text: what needs no training."""
        return cls({bytes([byte]): i for i, byte in enumerate(_BYTE_OF.values())}, {EOT: 256}, "gpt2")

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """From tokenizer.json, or a run directory that has one in artifacts/."""
        path = Path(path)
        file = path / "artifacts" / "tokenizer.json" if path.is_dir() else path
        try:
            state = json.loads(file.read_text(encoding="utf-8"))
            specials = {t["content"]: t["id"] for t in state["added_tokens"]}
            vocab = state["model"]["vocab"].items()
            ranks = {_to_bytes(token): index for token, index in vocab if index not in specials.values()}
            _check_ids(ranks, specials)
            return cls(ranks, specials, _pattern_of(state), nfc=_composes(state))
        except FileNotFoundError:
            raise DataError("no such tokenizer", where=file) from None
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", where=file) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"not a byte-level BPE tokenizer with a known split pattern: {type(error).__name__} {error}"
            raise CorruptError(what, where=file) from None

    @classmethod
    def from_gpt2_files(cls, encoder: Path | str, merges: Path | str) -> Self:
        """From OpenAI's encoder.json and vocab.bpe (plain, or as .gz or .xz)."""
        vocab = json.loads(_read_text(encoder))
        pairs = [line.split(" ") for line in _read_text(merges).split("\n")[1:] if line]
        ranks = {bytes([_BYTE_OF[c]]): i for i, c in enumerate(_BYTE_OF)}
        ranks |= {_to_bytes(a + b): 256 + i for i, (a, b) in enumerate(pairs)}
        specials = {t: i for t, i in vocab.items() if t == EOT}
        if {_to_bytes(t): i for t, i in vocab.items() if t not in specials} != ranks:
            raise CorruptError("the merges do not give the vocabulary beside them", where=merges)
        return cls(ranks, specials, "gpt2")

    @classmethod
    def from_ranks_file(cls, path: Path | str, pattern: str, specials: dict[str, int] | None = None) -> Self:
        """From a .tiktoken file: a token in base 64 and its rank on each line."""
        ranks: dict[bytes, int] = {}
        for number, line in enumerate(_read_text(path).splitlines(), 1):
            try:
                token, rank = line.split()
                ranks[base64.b64decode(token, validate=True)] = int(rank)
            except ValueError:
                raise CorruptError("not 'base64 rank'", where=f"{path}:{number}") from None
        specials = specials or {EOT: max(ranks.values(), default=0) + 1}
        try:
            _check_ids(ranks, specials)
        except ValueError as error:
            raise CorruptError(str(error), where=path) from None
        return cls(ranks, specials, pattern)

    # ---- writing --------------------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """Hugging Face `tokenizers` JSON; loadable by transformers' PreTrainedTokenizerFast."""
        by_rank = sorted(self.ranks.items(), key=lambda item: item[1])
        merges = [_parents(token, rank, self.ranks) for token, rank in by_rank if len(token) > 1]
        # In the model's own vocabulary special tokens keep their ids, even where these do not follow on (cl100k).
        model = _hf_tokenizer(self.pattern, merges, self.ranks, self.specials)
        if self.nfc:
            model.normalizer = normalizers.NFC()
        model.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in self.specials])
        return str(model.to_str(pretty=True)) + "\n"


def _check_ids(ranks: dict[bytes, int], specials: dict[str, int]) -> None:
    """Raises ValueError when a byte has no token or two tokens share an id."""
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise ValueError(f"no token for byte {missing[0]}")
    if len({*ranks.values(), *specials.values()}) < len(ranks) + len(specials):
        raise ValueError("two tokens have the same id")


def _parents(token: bytes, rank: int, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two tokens that merge into `token`: what BPE with only earlier merges makes of its bytes."""
    parts = [bytes([b]) for b in token]
    while len(parts) > 2:
        pairs = [(ranks.get(a + b, rank), i) for i, (a, b) in enumerate(pairwise(parts))]
        best, at = min(pairs)
        if best >= rank:
            raise CorruptError(f"token {rank} cannot be reached by merges")
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def _hf_tokenizer(
    pattern: str, merges: list[tuple[bytes, bytes]], ranks: dict[bytes, int], specials: dict[str, int]
) -> Any:
    vocab = {_to_text(token): index for token, index in ranks.items()} | specials
    model = HfTokenizer(BPE(vocab=vocab, merges=[(_to_text(a), _to_text(b)) for a, b in merges]))
    model.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERNS[pattern]), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    model.decoder = decoders.ByteLevel()
    return model


def _composes(state: dict[str, Any]) -> bool:
    """Whether it composes characters before all else. Raises ValueError for any other change of a text."""
    normalizer = state.get("normalizer")
    if normalizer not in (None, {"type": "NFC"}):
        raise ValueError(f"normalizer {json.dumps(normalizer):.60}")
    return normalizer is not None


def _pattern_of(state: dict[str, Any]) -> str:
    """Which split pattern a tokenizer.json uses. GPT-2's own file has it built into ByteLevel.

    Raises ValueError where ids would not be those of its merges in the order of their ids, which is how we encode.
    """
    products = [state["model"]["vocab"]["".join(_pair(merge))] for merge in state["model"].get("merges", [])]
    if any(a >= b for a, b in pairwise(products)):
        raise ValueError("merges that are not in the order of ids")
    steps = state["pre_tokenizer"]
    for step in steps.get("pretokenizers", [steps]):
        if step.get("add_prefix_space"):
            raise ValueError("add_prefix_space")
    for step in steps.get("pretokenizers", [steps]):
        if step["type"] == "Split":
            return {regex: name for name, regex in PATTERNS.items()}[step["pattern"]["Regex"]]
    return "gpt2"


def _pair(merge: str | list[str]) -> list[str]:
    """The two tokens of a merge: older files write them in one text."""
    return merge.split(" ") if isinstance(merge, str) else merge


def _cut_blanks(text: str) -> list[str]:
    """The text in pieces none of which holds more than LONGEST_BLANK blanks in a row."""
    found = _LONG_BLANK.finditer(text) if len(text) > LONGEST_BLANK else ()
    cuts = [cut for run in found for cut in range(run.start() + LONGEST_BLANK, run.end(), LONGEST_BLANK)]
    return [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]


def _byte_characters() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte {character: byte}, in the order of its ids."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


_BYTE_OF = _byte_characters()
_CHARACTER_OF = {b: c for c, b in _BYTE_OF.items()}


def _to_bytes(token: str) -> bytes:
    return bytes(_BYTE_OF[c] for c in token)


def spelled(token: str) -> bytes | None:
    """The bytes of a token of a byte-level vocabulary as files write it; None of one that is written otherwise."""
    return _to_bytes(token) if all(c in _BYTE_OF for c in token) else None


def _to_text(token: bytes) -> str:
    return "".join(_CHARACTER_OF[b] for b in token)


def _read_text(path: Path | str) -> str:
    """A small text file, decompressed by its suffix."""
    return read_bytes(Path(path)).decode("utf-8")
