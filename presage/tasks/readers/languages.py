"""English names of languages by ISO 639-3 code, for questions such as "What is the French translation of"."""

from __future__ import annotations

_TEXT = """
afr Afrikaans|als Albanian|amh Amharic|ara Arabic|arb Arabic|ast Asturian|aze Azerbaijani|azj Azerbaijani|bel Belarusian
ben Bengali|bos Bosnian|bre Breton|bul Bulgarian|cat Catalan|ceb Cebuano|ces Czech|cmn Chinese|cym Welsh|dan Danish
deu German|ell Greek|eng English|epo Esperanto|est Estonian|eus Basque|fao Faroese|fin Finnish|fra French|fry Frisian
gla Scottish Gaelic|gle Irish|glg Galician|guj Gujarati|hat Haitian Creole|hau Hausa|heb Hebrew|hin Hindi|hrv Croatian
hun Hungarian|hye Armenian|ibo Igbo|ind Indonesian|isl Icelandic|ita Italian|jav Javanese|jpn Japanese|kan Kannada
kat Georgian|kaz Kazakh|khk Mongolian|khm Khmer|kor Korean|kur Kurdish|lao Lao|lat Latin|lit Lithuanian|lvs Latvian
mal Malayalam|mar Marathi|mkd Macedonian|mlt Maltese|mon Mongolian|mya Burmese|nld Dutch|nno Norwegian Nynorsk
nob Norwegian Bokmål|npi Nepali|oci Occitan|pan Punjabi|pes Persian|pol Polish|por Portuguese|quy Quechua|ron Romanian
rus Russian|sin Sinhala|slk Slovak|slv Slovenian|som Somali|spa Spanish|sqi Albanian|srp Serbian|swe Swedish|swh Swahili
tam Tamil|tat Tatar|tel Telugu|tgl Tagalog|tha Thai|tuk Turkmen|tur Turkish|uig Uyghur|ukr Ukrainian|urd Urdu|uzb Uzbek
uzn Uzbek|vie Vietnamese|xho Xhosa|yid Yiddish|yor Yoruba|yue Cantonese|zho Chinese|zsm Malay|zul Zulu
"""
NAMES: dict[str, str] = dict(entry.split(" ", 1) for line in _TEXT.split("\n") if line for entry in line.split("|"))

WITHOUT_BLANKS = frozenset({"jpn", "tha", "lao", "khm", "mya", "zho", "cmn", "yue", "wuu"})
"""Written without blanks between words, so that BLEU is counted over characters (sacrebleu's "zh" or "char")."""


def bleu_tokenizer(code: str) -> str:
    """sacrebleu's name of the tokenizer for a language: "zh" for Chinese, "char" for others without blanks, "13a"."""
    base = code.partition("_")[0]
    if base in ("zho", "cmn", "yue", "wuu"):
        return "zh"
    return "char" if base in WITHOUT_BLANKS else "13a"
