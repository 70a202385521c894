"""Copies: keys and digests beside their definitions, decisions beside all pairs compared in plain Python."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.data import near, shingles
from presage.data.documents import read_bytes
from presage.data.folding import SPACE, fold_character
from presage.data.near import FIRST, NEAREST, band_keys, digest_columns, leaders
from presage.data.rules.texts import Texts
from presage.data.shingles import BANDS, NO_KEY, SHINGLE, jaccard, shingle_sets

Reader = Callable[[np.ndarray], Iterable[str]]

FEW_WORDS = st.lists(st.sampled_from("abcd"), max_size=14).map(" ".join)
MANY_SCRIPTS = st.text(alphabet="aé\u0301 .\n中文คำက🙂-ߐ", max_size=30)
LONG = st.builds(lambda text, times: text * times, MANY_SCRIPTS, st.integers(1, 30))


# ---- slow twins -----------------------------------------------------------------------------------------------------


def slow_words(text: str) -> list[str]:
    """Words as `presage.data.folding` has them, long ones cut as `presage.data.shingles` says."""
    folded = map(fold_character, text)
    words = "".join(chr(code) if code > SPACE else " " * (code == SPACE) for code in folded).split()
    return [piece for word in words for piece in (_pieces(word) if len(word.encode()) > 32 else [word])]


def _pieces(word: str) -> list[str]:
    return [piece for piece in re.findall("[\u0800-\U0010ffff]?[^\u0800-\U0010ffff]*", word) if piece]


def slow_set(text: str) -> set[tuple[str, ...]]:
    words = slow_words(text)
    runs = {tuple(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1))}
    return runs - {()}


def slow_similarity(first: str, second: str) -> float:
    a, b = slow_set(first), slow_set(second)
    return len(a & b) / len(a | b) if a | b else 0.0


def slow_leaders(texts: Sequence[str], similar: float, compared: np.ndarray) -> tuple[list[int], list[bool]]:
    """The rule of `presage.data.near`, document by document; compared: bool [documents, documents]."""
    written = [b" ".join(text.encode().split()) for text in texts]
    leader: list[int] = []
    for i, text in enumerate(texts):
        original = written.index(written[i])
        alike = (
            j for j in range(i) if leader[j] == j and compared[i, j] and slow_similarity(text, texts[j]) >= similar
        )
        leader.append(leader[original] if original < i else next(alike, i))
    return leader, [written.index(words) < i for i, words in enumerate(written)]


def reader(texts: Sequence[str]) -> Reader:
    return lambda documents: (texts[i] for i in documents)


def found(texts: Sequence[str], keys: np.ndarray | None = None, **options: float) -> tuple[list[int], list[bool]]:
    keys = band_keys(Texts(texts)) if keys is None else keys
    leader, exact = leaders(digest_columns(texts), keys, reader(texts), **options)  # type: ignore[arg-type]
    return leader.tolist(), exact.tolist()


def one_bucket(count: int) -> np.ndarray:
    return np.full((count, 1), 7, np.uint32)


def passage(seed: int, words: int, changed: Iterable[int] = ()) -> list[str]:
    """Different words everywhere; other ones at the places `changed`."""
    text = [f"w{seed}x{place}" for place in range(words)]
    for place in changed:
        text[place] = f"other{place}"
    return text


# ---- digests and sets -----------------------------------------------------------------------------------------------


@given(st.lists(st.text(alphabet="ab\u00a0 \t\n\r\x0b\x0c\0é", max_size=8), max_size=6))
def test_digests_are_equal_for_texts_that_differ_in_spacing_alone(texts: list[str]) -> None:
    digests = digest_columns(texts)
    assert digests.shape == (len(texts), 2)
    written = [b" ".join(text.encode().split()) for text in texts]
    for i, j in np.ndindex(len(texts), len(texts)):
        assert (digests[i] == digests[j]).all() == (written[i] == written[j])


@given(st.lists(FEW_WORDS | LONG, max_size=5))
def test_sets_of_shingles(texts: list[str]) -> None:
    """Hashes stand for the shingles themselves: as many of them, as many in common."""
    sets = shingle_sets(texts)
    assert [len(one) for one in sets] == [len(slow_set(text)) for text in texts]
    for i, j in np.ndindex(len(texts), len(texts)):
        assert jaccard(sets[i], sets[j]) == slow_similarity(texts[i], texts[j])


def test_every_byte_of_a_long_word_counts() -> None:
    start = "x" * 100
    assert jaccard(*shingle_sets([start + "a" * 100, start + "b" * 100])) == 0.0
    assert jaccard(*shingle_sets([start + "a" * 100, start + "a" * 100])) == 1.0


# ---- keys -----------------------------------------------------------------------------------------------------------


@given(st.lists(FEW_WORDS | LONG, max_size=6), st.integers(1, 3))
def test_keys_depend_on_the_set_of_shingles_alone(texts: list[str], at_once: int) -> None:
    keys = band_keys(Texts(texts))
    assert keys.dtype == np.uint32 and keys.shape == (len(texts), BANDS)
    for i, text in enumerate(texts):
        assert (keys[i] == NO_KEY).all() == (not slow_words(text))
        twice, thrice = (text + " ") * 2, (text.upper() + " ! ") * 3
        same = (band_keys(Texts([twice])) == band_keys(Texts([thrice]))).all()
        assert same or slow_set(twice) != slow_set(thrice)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shingles, "_TEXTS_AT_ONCE", at_once)
        assert (band_keys(Texts(texts)) == keys).all()


@pytest.mark.parametrize("size", [5, 20, 100, 600])
@pytest.mark.parametrize("similarity", [0.4, 0.6, 0.8])
def test_candidates_are_as_many_as_the_formula_says(size: int, similarity: float) -> None:
    """Of 800 pairs, sets of five shingles as well as of hundreds, within four standard errors."""
    pairs, chance = 800, np.random.default_rng(size)
    shared = round(size * similarity)
    first = chance.integers(0, 1 << 64, size=(pairs, size), dtype=np.uint64)
    second = first[:, :shared]
    share = 1 - (1 - similarity**shingles.ROWS) ** BANDS
    keys = [_keys_of_sets(sets) for sets in (first, second)]
    candidates = (keys[0] == keys[1]).any(axis=1).mean()
    assert abs(candidates - share) <= 4 * np.sqrt(share * (1 - share) / pairs)


def _keys_of_sets(sets: np.ndarray) -> np.ndarray:
    of = np.repeat(np.arange(len(sets)), sets.shape[1])
    return shingles._keys_of(shingles._sketch(sets.ravel(), of, len(sets)))


# ---- the rule -------------------------------------------------------------------------------------------------------


@given(st.lists(FEW_WORDS, max_size=FIRST + NEAREST + 1), st.sampled_from([0.2, 0.5, 0.8, 1.0]))
def test_all_pairs_where_all_share_a_bucket(texts: list[str], similar: float) -> None:
    every = np.ones((len(texts), len(texts)), bool)
    assert found(texts, one_bucket(len(texts)), similar=similar) == slow_leaders(texts, similar, every)


@given(st.lists(FEW_WORDS | LONG, max_size=FIRST + NEAREST + 1), st.sampled_from([0.2, 0.5, 0.8, 1.0]))
def test_all_pairs_that_share_a_key(texts: list[str], similar: float) -> None:
    keys = band_keys(Texts(texts))
    sharing = ((keys[:, None] == keys) & (keys != NO_KEY)).any(axis=2)
    assert found(texts, keys, similar=similar) == slow_leaders(texts, similar, sharing)


@given(
    st.lists(FEW_WORDS, max_size=40),
    st.integers(0, 1 << 30),
    st.integers(1, 12),
    st.sampled_from([1, 7, 1 << 20]),
    st.sampled_from([1, 9, 1 << 20]),
    st.sampled_from([1, 30, 1 << 20]),
)
def test_parts_and_batches_change_nothing(
    texts: list[str], seed: int, memory_rows: int, pairs: int, size: int, characters: int
) -> None:
    keys = np.random.default_rng(seed).integers(0, 4, size=(len(texts), 3), dtype=np.uint32) << np.uint32(30)
    expected = found(texts, keys, similar=0.3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "_PAIRS_AT_ONCE", pairs)
        patch.setattr(near, "_SHINGLES_AT_ONCE", size)
        patch.setattr(near, "_CHARACTERS_AT_ONCE", characters)
        assert found(texts, keys, similar=0.3, memory_rows=memory_rows) == expected


def test_columns_may_be_files(tmp_path: Path) -> None:
    texts = [" ".join(passage(number // 3, 60, range(number % 3))) for number in range(90)]
    columns = {"digests": digest_columns(texts), "keys": band_keys(Texts(texts))}
    mapped = []
    for name, array in columns.items():
        file = np.memmap(tmp_path / name, array.dtype, "w+", shape=array.shape, order="F")
        file[:] = array
        mapped.append(file)
    leader, exact = leaders(*mapped, reader(texts), memory_rows=16)
    assert leader.tolist() == [number // 3 * 3 for number in range(90)]
    assert not exact.any()


def test_no_chain_drifts_away() -> None:
    """Each of nine texts is similar to the next; only what is similar to a kept text is removed."""
    texts = [" ".join(passage(0, 200, range(0, 16 * step, 4))) for step in range(9)]
    similar = [slow_similarity(a, b) for a, b in pairwise(texts)]
    assert min(similar) >= 0.8 > slow_similarity(texts[0], texts[2])
    leader, _ = found(texts, one_bucket(9))
    assert leader == slow_leaders(texts, 0.8, np.ones((9, 9), bool))[0]
    assert leader[:4] == [0, 0, 2, 2]


def test_the_copy_of_a_near_copy_leads_to_the_original() -> None:
    original, changed = " ".join(passage(0, 100)), " ".join(passage(0, 100, [50]))
    other = " ".join(passage(1, 100))
    texts = [original, changed, other, changed.replace(" ", "\n\n"), other, original + "  "]
    assert found(texts) == ([0, 0, 2, 0, 2, 0], [False, False, False, True, True, True])


def test_case_and_punctuation_make_near_copies() -> None:
    text = "One two, three. Four! Five (six) seven"
    assert found([text, text.upper(), text.replace(",", ";")]) == ([0, 0, 0], [False] * 3)


def test_short_texts() -> None:
    """Fewer than five words are one shingle; texts without words are copies only as they are written."""
    texts = ["", "...", " ", "!", "hello", "Hello!", "hello hello", "hello world", "... "]
    assert found(texts) == ([0, 1, 0, 3, 4, 4, 6, 7, 1], [i in (2, 8) for i in range(9)])
    rows = [f"What is {a} plus {b}? It is {a + b}." for a in range(20) for b in range(20)]
    assert found(rows)[0] == list(range(400))


def test_scripts_without_spaces() -> None:
    """A paragraph is one word of many; a character more or less makes a near copy, another paragraph none."""
    chance = random.Random(0)
    for letters in ("天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往", "กขฃคฅฆงจฉชซฌญฎฏฐ", "あいうえおかきくけこさしすせそ"):
        one, other = ("".join(chance.choices(letters, k=300)) for _ in range(2))
        texts = [one, other, one[:150] + "。" + one[150:], one[:150] + letters[0] + one[151:], other[3:]]
        assert found(texts)[0] == [0, 1, 0, 0, 1]


# ---- what is read and compared --------------------------------------------------------------------------------------


def test_a_huge_bucket_is_not_compared_pair_by_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    count, compared = 3000, []
    texts = [" ".join(passage(number, 6)) for number in range(count)]
    texts[2000] = " ".join(passage(2, 5))  # 1 shingle of the 2 of document 2
    texts[2500] = " ".join(passage(2499, 5))
    texts[2900] = " ".join(passage(1500, 5))
    monkeypatch.setattr(near, "jaccard", lambda a, b: compared.append(0) or jaccard(a, b))
    leader, _ = found(texts, one_bucket(count), similar=0.5)
    assert len(compared) <= count * (FIRST + NEAREST)
    assert leader[2000] == 2 and leader[2500] == 2499
    assert leader[2900] == 2900  # its original is neither among the first nor just before it


def test_only_what_shares_a_key_is_read_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join(passage(number % 40, 50, range(number // 40))) for number in range(60)]
    asked: list[list[int]] = []

    def read(documents: np.ndarray) -> Iterable[str]:
        asked.append(documents.tolist())
        return (texts[i] for i in documents)

    monkeypatch.setattr(near, "_PAIRS_AT_ONCE", 64)
    leader, _ = leaders(digest_columns(texts), band_keys(Texts(texts)), read)
    assert leader.tolist() == [number % 40 for number in range(60)]
    assert len(asked) > 1 and all(documents == sorted(set(documents)) for documents in asked)
    assert {i for documents in asked for i in documents} == {*range(20), *range(40, 60)}


def test_a_reader_that_gives_too_few_texts_is_refused() -> None:
    texts = ["a b c", "A b c"]
    with pytest.raises(ValueError, match="shorter"):
        leaders(digest_columns(texts), one_bucket(2), lambda documents: texts[:1])


# ---- real documents -------------------------------------------------------------------------------------------------


def test_real_documents_with_edits(shared: Path) -> None:
    """Passages of Python's proposals with words exchanged, against exact similarity of every pair of a family."""
    chance = random.Random(0)
    lines = read_bytes(shared / "corpus" / "python_peps" / "peps.jsonl.xz").decode().splitlines()
    words = " ".join(json.loads(line)["text"] for line in lines[:30]).split()
    texts, family = [], []
    for number in range(120):
        first = number * 500
        source = words[first : first + chance.randint(100, 500)]
        for version in range(5):
            edited = [chance.choice(words) if chance.random() < 0.008 * version else word for word in source]
            texts.append(" ".join(edited))
            family.append(number)
    same = np.equal.outer(family, family)
    expected, _ = slow_leaders(texts, 0.8, same)
    leader, _ = found(texts)
    copies = [i for i in range(len(texts)) if expected[i] != i]
    assert 200 < len(copies) < 400  # some of the edited are no copies any more
    assert sum(leader[i] == expected[i] for i in copies) >= 0.98 * len(copies)
    for i in range(len(texts)):
        assert leader[i] == i or slow_similarity(texts[i], texts[leader[i]]) >= 0.8
