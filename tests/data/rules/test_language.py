"""Languages: the library's own answers, texts that have none, the rule, and the Declaration of Human Rights."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from presage.core.errors import ConfigError
from presage.data.rules import language
from presage.data.rules.language import identify, language_rule, languages
from presage.data.rules.texts import Texts

ENGLISH = "All human beings are born free and equal in dignity and rights. They are endowed with reason."
SPOKEN = {
    "en": ENGLISH,
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft begabt.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "zh": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。",
    "ar": "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
}
# What the library calls the languages of the Declaration's files.
CODES = {
    "afr": "af", "amh": "am", "arb": "ar", "azj": "az", "bel": "be", "bul": "bg", "ben": "bn", "bre": "br", "bos": "bs",
    "cat": "ca", "ces": "cs", "cym": "cy", "dan": "da", "deu": "de", "ell": "el", "eng": "en", "epo": "eo", "spa": "es",
    "ekk": "et", "eus": "eu", "pes": "fa", "fin": "fi", "fra": "fr", "fry": "fy", "gle": "ga", "gla": "gd", "glg": "gl",
    "guj": "gu", "hau": "ha", "heb": "he", "hin": "hi", "hrv": "hr", "hat": "ht", "hun": "hu", "hye": "hy", "ind": "id",
    "ibo": "ig", "isl": "is", "ita": "it", "jpn": "ja", "jav": "jv", "kat": "ka", "kaz": "kk", "khm": "km", "kan": "kn",
    "kor": "ko", "kir": "ky", "lat": "la", "lug": "lg", "lin": "ln", "lao": "lo", "lit": "lt", "lvs": "lv", "plt": "mg",
    "mkd": "mk", "mal": "ml", "khk": "mn", "mar": "mr", "zlm": "ms", "mya": "my", "nep": "ne", "nld": "nl", "nob": "no",
    "pan": "pa", "pol": "pl", "por": "pt", "ron": "ro", "rus": "ru", "san": "sa", "sin": "si", "slk": "sk", "slv": "sl",
    "som": "so", "als": "sq", "srp": "sr", "swe": "sv", "swh": "sw", "tam": "ta", "tel": "te", "tha": "th", "tgl": "tl",
    "tur": "tr", "ukr": "uk", "urd": "ur", "uzn": "uz", "vie": "vi", "xho": "xh", "yor": "yo", "cmn": "zh", "zul": "zu",
    "kin": "rw",
    "sme": "se", "sna": "sn", "sot": "st", "fao": "fo", "ltz": "lb", "lij": "lij", "wln": "wa", "mlt": "mt",
    "nno": "nn", "oci": "oc", "tgk": "tg", "tuk": "tk", "tat": "tt", "vec": "vec", "nso": "nso", "pcm": "pcm",
}  # fmt: skip


@pytest.fixture(scope="module")
def library() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


PIECES = st.sampled_from([*SPOKEN.values(), *"aéжह中 .1", "THE CAT", "e\u0301", " "])
TEXTS = st.lists(st.one_of(st.lists(PIECES, max_size=5).map("".join), st.text(max_size=80)), max_size=5)


@given(TEXTS)
def test_answers_are_the_librarys(library: LanguageIdentifier, texts: list[str]) -> None:
    codes, probabilities = identify(texts, 150)
    assert len(codes) == len(probabilities) == len(texts)
    for text, code, probability in zip(texts, codes, probabilities, strict=True):
        head = text[:150]
        ranked = dict(library.rank(head))
        if code == "und":
            featureless = len(set(ranked.values())) <= 2  # all alike, or twice that for a language with two scripts
            assert probability == 0
            assert featureless or not any(map(str.isalpha, head))
        else:
            assert any(map(str.isalpha, head))
            assert probability == pytest.approx(ranked[code], abs=1e-4)
            assert ranked[code] == pytest.approx(max(ranked.values()), abs=1e-4)


def test_languages_that_everybody_knows() -> None:
    codes, probabilities = identify(list(SPOKEN.values()))
    assert codes == list(SPOKEN)
    assert (probabilities > 0.7).all()


def test_nothing_to_tell_from() -> None:
    codes, probabilities = identify(["", " \n", "1 + 2 = 3", "…", ENGLISH])
    assert codes == ["und"] * 4 + ["en"]
    assert probabilities[:4].tolist() == [0.0] * 4
    assert identify([])[0] == []


def test_only_the_head_counts() -> None:
    text = ENGLISH + 20 * SPOKEN["de"]
    assert identify([text, text], len(ENGLISH))[0] == ["en", "en"]
    assert identify([text])[0] == ["de"]


def test_long_texts_and_short_ones_together_are_told_as_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [ENGLISH * 40, *SPOKEN.values(), "", ENGLISH[:20], SPOKEN["de"] * 9]
    alone = [identify([text], 10**9) for text in texts]
    monkeypatch.setattr(language, "_CELLS", 2_000)
    codes, probabilities = identify(texts, 10**9)
    assert codes == [code for (code,), _ in alone]
    assert probabilities.tolist() == pytest.approx([value for _, (value,) in alone], rel=1e-6)


def test_the_rule() -> None:
    rule = language_rule(["en", "fr"], 0.65)
    batch = Texts([ENGLISH, SPOKEN["de"], SPOKEN["fr"], "", "12"])
    values = rule.measure(batch)
    codes, probabilities = identify(batch.texts)
    assert codes == ["en", "de", "fr", "und", "und"]
    assert values.tolist() == [probabilities[0], 0, probabilities[2], 0, 0]
    assert rule.removes(values).tolist() == [False, True, False, True, True]
    assert rule.measure(Texts([])).tolist() == []
    assert language_rule(["en"], 0.5, head_chars=3).measure(Texts(["12 " + ENGLISH])).tolist() == [0]


@pytest.mark.parametrize(
    ("code", "said"), [("e", "did you mean"), ("klingon", "known: ace, af"), ("und", "known|mean")]
)
def test_unknown_languages(code: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        language_rule(["en", code], 0.5)
    assert caught.value.where == code


# Translations taken for something else: scripts that the library has not learned (Cyrillic Azerbaijani, Bosnian and
# Turkmen, Arabic Malay, Grantha, Han Vietnamese, polytonic Greek), dialects, and nearest relatives.
CONFUSED = {
    *("azj_cyrl", "bos_cyrl", "tuk_cyrl", "mly_arab", "san_gran", "vie_han", "ell_polytonic"),
    *("062", "068", "auv", "bos_latn", "srp_latn", "ind"),
}


def test_the_declaration_of_human_rights(shared: Path) -> None:
    with lzma.open(shared / "corpus/udhr/udhr.jsonl.xz", "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["iso639_3"] in CODES]
    codes, _ = identify(["\n".join(row["paras"]) for row in rows])
    wrong = {row["key"] for row, code in zip(rows, codes, strict=True) if code != CODES[row["iso639_3"]]}
    assert len(rows) == 149
    assert len({row["iso639_3"] for row in rows}) == 106
    assert wrong <= CONFUSED


def test_the_codes_of_these_tests_are_the_librarys(library: LanguageIdentifier) -> None:
    assert languages() == sorted(library.labels)
    assert set(CODES.values()) <= set(languages())
