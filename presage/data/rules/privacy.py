"""Personal data and secrets in a text, replaced by placeholders such as <EMAIL>.

Precise before complete: what is replaced by mistake damages a document, so a form that is as often something else
(numbers in columns, version numbers, serial numbers) is left alone unless a check digit or its surroundings speak for
it. Addresses and numbers that belong to nobody stay, being what texts are full of when they explain something:
example.com and its kind (RFC 2606), private and documentation networks (RFC 1918, 5737, 3849), `git@` of repositories,
passwords spelled `password`, whole networks.

Time is linear in the text: it is gone through once, repetitions in patterns are bounded, and what comes before a match
is looked at only after its first character, so that the search for that character is fast. In most texts it is all
there is to do.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from presage.core.errors import ConfigError, did_you_mean

Match = re.Match[str]


@dataclass(frozen=True)
class Form:
    """One way in which a kind is written: replaced where `pattern` matches and `holds` says so of the match.

    hint: a cheap look at the shape of the whole text (see `_shape`); without it the pattern is not tried.
    places: where in the text, from an index on, the pattern is worth trying. They are told by a fixed character, which
    is found ten times faster than one of a class; the same holds for a pattern that begins with a fixed character.
    """

    pattern: re.Pattern[str]
    holds: Callable[[Match], object] = bool
    hint: Callable[[bytes], object] = bool
    places: Callable[[str, int], Iterator[int]] | None = None


def redact(text: str, kinds: Iterable[str] | None = None) -> tuple[str, Counter[str]]:
    """(the text with placeholders, how many of each kind were replaced).

    kinds: names from KINDS, all by default. ConfigError for an unknown kind.
    Redacting twice is redacting once: every match is judged by the text as it was given, and next to a placeholder
    that was there already nothing is replaced, for nobody knows any more what it hides.
    """
    chosen = _chosen(KINDS if kinds is None else kinds)
    forms = [(kind, form) for kind in chosen for form in KINDS[kind][1]]
    shape = _shape(text)
    hinted = {hint for hint in {form.hint for _, form in forms} if hint(shape)}  # forms share hints
    tried = [(kind, form) for kind, form in forms if form.hint in hinted]
    spans = _spans(text, tried) if tried else []
    return _exchanged(text, spans), Counter(kind for _, _, kind in spans)


def _chosen(kinds: Iterable[str]) -> list[str]:
    names = list(kinds)
    check_kinds(names)
    return [kind for kind in KINDS if kind in names]


def check_kinds(kinds: Iterable[str]) -> None:
    """Raises ConfigError for a kind that is none."""
    for name in kinds:
        if name not in KINDS:
            raise ConfigError(
                f"no kind of personal data is called '{name}'", where="kinds", hint=did_you_mean(name, KINDS)
            )


_CLASSES = bytes.maketrans(b"123456789BCDEFGHIJKLMNOPQRSTUVWXYZ", b"0" * 9 + b"A" * 25)
_LEFT_OUT = bytes(range(ord("a"), ord("z") + 1)) + b" "


def _shape(text: str) -> bytes:
    """The text with every digit written 0 and every capital A, without small letters and spaces.

    A tenth of the text is left, in which numbers and keys have fixed shapes: each hint costs next to nothing.
    """
    return text.encode().translate(_CLASSES, _LEFT_OUT)


def _has(*parts: bytes) -> Callable[[bytes], object]:
    return lambda shape: any(part in shape for part in parts)


def _seen(pattern: bytes) -> Callable[[bytes], object]:
    return re.compile(pattern).search


_PLACEHOLDER = re.compile("<(?:EMAIL|IP|PHONE|CARD|IBAN|SSN|SECRET)>")
_REACH = 3  # characters around a match on which a pattern or its `holds` may depend


def _spans(text: str, tried: Iterable[tuple[str, Form]]) -> list[tuple[int, int, str]]:
    """(start, end, kind) of what to replace, in the text's order; of two that overlap, the one tried first."""
    taken = bytearray(len(text))
    for old in _PLACEHOLDER.finditer(text):
        start, end = max(0, old.start() - _REACH), min(len(text), old.end() + _REACH)
        taken[start:end] = b"1" * (end - start)
    spans = []
    for kind, form in tried:
        for start, end in _matches(text, form, taken):
            taken[start:end] = b"1" * (end - start)
            spans.append((start, end, kind))
    return sorted(spans)


def _matches(text: str, form: Form, taken: bytearray) -> Iterator[tuple[int, int]]:
    """Unlike `finditer`, looks also inside of what is refused: whether that matches can depend on its neighbours."""
    match = _next(text, form, 0)
    while match:
        start, end = match.span()
        accepted = taken.find(b"1", start, end) < 0 and form.holds(match)
        if accepted:
            yield start, end
        match = _next(text, form, end if accepted else start + 1)


def _next(text: str, form: Form, start: int) -> Match | None:
    if form.places is None:
        return form.pattern.search(text, start)
    tried = (form.pattern.match(text, place) for place in form.places(text, start) if place >= start)
    return next(filter(None, tried), None)


def _exchanged(text: str, spans: list[tuple[int, int, str]]) -> str:
    parts: list[str] = []
    done = 0
    for start, end, kind in spans:
        parts += text[done:start], KINDS[kind][0]
        done = end
    return "".join(parts) + text[done:]


# ---- e-mail ---------------------------------------------------------------------------------------------------------

# Without a known ending `a@b.shape` in a program would be an address. Of countries .py alone is left out.
_ENDING = re.compile(
    r"com|org|net|edu|gov|mil|int|info|biz|name|pro|aero|asia|coop|jobs|museum|travel|arpa|app|dev|blog|cloud|online"
    r"|site|store|shop|tech|xyz|club|email|live|news|world|agency|digital|media|network|studio|systems|solutions"
    r"|a[cdefgilmoqrstuwxz]|b[abdefghijmnorstwyz]|c[acdfghiklmnoruvwxyz]|d[ejkmoz]|e[cegrstu]|f[ijkmor]"
    r"|g[adefghilmnpqrstuwy]|h[kmnrtu]|i[delmnoqrst]|j[emop]|k[eghimnprwyz]|l[abcikrstuvy]"
    r"|m[acdeghklmnopqrstuvwxyz]|n[acefgilopruz]|om|p[aefghklmnrstw]|qa|r[eosuw]|s[abcdeghiklmnorstuvxyz]"
    r"|t[cdfghjklmnortvwz]|u[agksyz]|v[aceginu]|w[fs]|y[et]|z[amw]"
)
_EMAIL = re.compile(
    r"[A-Za-z0-9_%+-](?<![\w.%+/-].)(?P<user>[A-Za-z0-9._%+-]{0,63})(?<!\.)"
    r"@(?P<host>(?:[A-Za-z0-9-]{1,63}\.){1,8}(?P<ending>[A-Za-z]{2,10}))(?![\w(@]|[.-]\w)"
)
_AT = re.compile(r"@(?<=[A-Za-z0-9_%+-]@)[A-Za-z0-9-]{1,63}\.")
_USER_BACKWARDS = re.compile(r"[A-Za-z0-9._%+-]{0,64}")
_NOBODYS_HOST = re.compile(r"(?:.*\.)?(?:example\.(?:com|org|net)|localhost|127\.0\.0\.1)", re.IGNORECASE)


def _users(text: str, start: int) -> Iterator[int]:
    for at in _AT.finditer(text, start):
        user = _USER_BACKWARDS.match(text[max(start, at.start() - 64) : at.start()][::-1])
        yield at.start() - (user.end() if user else 0)


_URL_REACH = 200  # characters before a password's end in which its URL begins


def _is_address(match: Match) -> bool:
    """Nor the end of a password and its host, as in scheme://user:password@host."""
    _, url, path = match.string[max(0, match.start() - _URL_REACH) : match.start()].rpartition("://")
    if url and not re.search(r"[\s/@]", path):
        return False
    ending = match["ending"]
    known = _ENDING.fullmatch(ending.lower()) and (ending.islower() or ending.isupper())  # k.mT is a matrix
    return bool(known) and not _NOBODYS_HOST.fullmatch(match["host"]) and not match[0].startswith("git@")


# ---- network addresses ----------------------------------------------------------------------------------------------

_IPV4 = re.compile(r"[0-9](?<![\w.-].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?!\w|[.-]\w)")
_IPV6 = re.compile(r"[23](?<![\w:.].)[0-9a-fA-F]{3}:[0-9a-fA-F:]{3,35}(?!\w|[:.]\w)")
_COLON = re.compile(r":(?<=[23][0-9a-fA-F]{3}:)[0-9a-fA-F:]{3}")
_NUMBERED = re.compile(
    r"(?:version|release|revision|build|ver|rev|section|sections|sect|sec|chapter|clause|paragraph|figure|fig|table"
    r"|appendix|rule|item|part|step|§)[.:]?\s{0,2}$",
    re.IGNORECASE,
)
_BEFORE = 16  # characters in which a word that announces a number is looked for


def _ipv6_heads(text: str, start: int) -> Iterator[int]:
    return (colon.start() - 4 for colon in _COLON.finditer(text, start))


_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


def _is_public_ipv4(match: Match) -> bool:
    """Nor a version or section number: those have small parts, or are called so. Nor a whole network, nor made up."""
    try:
        address = ipaddress.IPv4Address(match[0])
    except ValueError:
        return False
    made_up = len(set(address.packed)) < 3 or match[0].replace(".", "") in "1234567890"
    if made_up or address.packed[3] == 0 or sum(part >= 20 for part in address.packed) < 2:
        return False
    announced = _NUMBERED.search(match.string[max(0, match.start() - _BEFORE) : match.start()])
    return address.is_global and not address.is_multicast and not announced


def _is_public_ipv6(match: Match) -> bool:
    """At least three parts are written: `2000::2` is a slice of Python. What ends in :: is a whole network."""
    try:
        address = ipaddress.IPv6Address(match[0])
    except ValueError:
        return False
    written = sum(bool(part) for part in match[0].split(":"))
    return written > 2 and address.packed[8:] != bytes(8) and address in _GLOBAL_UNICAST and address.is_global


# ---- telephones -----------------------------------------------------------------------------------------------------

_INTERNATIONAL = re.compile(r"\+(?<![\w+)].)[1-9](?:[ .()/-]{0,2}[0-9]){7,14}+(?!\w|[ .-]?[0-9])")
_NORTH_AMERICAN_AREA = re.compile(r"\((?<!\w.)[2-9][0-9]{2}\) ?[2-9][0-9]{2}[-. ][0-9]{4}(?!\w|[.,-][0-9])")
_NORTH_AMERICAN = re.compile(
    r"(?:1[-.][2-9](?<![\w.,/+-]...)|[2-9](?<![\w.,/+-].))[0-9]{2}([-.])[2-9][0-9]{2}\1[0-9]{4}(?!\w|[.,/-]\w)"
)
_TRUNK = re.compile(  # 0, then as in France, Britain, Australia, Japan, Germany
    r"0(?<![\w.,/+-].)(?<![0-9A-Fa-f] .)(?:"
    r"[1-9](?:[ .][0-9]{2}){4}(?! ?[0-9A-Fa-f]{2}\b)"
    r"|[12][0-9] [0-9]{4} [0-9]{4}|1[0-9]{2} [0-9]{3} [0-9]{4}|[17][0-9]{3} [0-9]{3} ?[0-9]{3}"
    r"|[23478] [0-9]{4} [0-9]{4}|4[0-9]{2} [0-9]{3} [0-9]{3}"
    r"|[1-9]-[0-9]{4}-[0-9]{4}|[789]0-[0-9]{4}-[0-9]{4}"
    r"|[2-9][0-9]{1,3}/[0-9]{6,8}"
    r")(?!\w|[ .,/-]?[0-9])"
)
_COUNTRIES = re.compile(  # ITU-T E.164: the first digits of every assigned calling code
    r"1|7|2(?:0|1[1238]|[2346]|5|7|9[0178])|3(?:[01234679]|5|7|8)|4(?:[013456789]|2)|5(?:0|[1-8]|9)|6(?:[0-6]|7|8|9)"
    r"|8(?:[1246]|0[08]|5|7[08]|8[0-368])|9(?:[0-58]|6|7|9)"
)
_NANP_DIGITS = re.compile(r"1[2-9][0-9]{2}[2-9][0-9]{6}")


def _is_international(match: Match) -> bool:
    """An assigned code; for +1, a whole number; no decimal (+12.3456789), no product, no single digits, no 2**32."""
    groups = re.findall("[0-9]+", match[0])
    digits = "".join(groups)
    decimal = re.fullmatch(r"\+[0-9]+\.[0-9]+", match[0])
    if decimal or match[0].count("(") > 1 or sum(len(group) == 1 for group in groups) > 2:
        return False
    number = int(digits)
    power_of_two = number & (number - 1) == 0 or number & (number + 1) == 0  # or one less
    whole = _NANP_DIGITS.fullmatch(digits) if digits[0] == "1" else len(digits) > 8
    return bool(whole and not power_of_two and _COUNTRIES.match(digits))


# ---- numbers with check digits --------------------------------------------------------------------------------------

_CARD = re.compile(
    r"[2-6](?<![\w.,/-].)(?<![0-9] .)(?:[0-9]{12,18}"
    r"|[0-9]{3}(?P<gap>[ -])(?:(?:[0-9]{4}(?P=gap)){2}[0-9]{4}(?:(?P=gap)[0-9]{1,3})?|[0-9]{6}(?P=gap)[0-9]{4,5})"
    r")(?!\w|[ .,/-]?[0-9])"
)
# Visa, Mastercard, American Express, Diners; Discover, JCB, UnionPay. Maestro's prefixes are too many to mean much.
_ISSUED = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}|(?:5[1-5]|2[2-7])[0-9]{14}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}"
    r"|(?:6011|65[0-9]{2}|64[4-9][0-9]|35(?:2[89]|[3-8][0-9])|62[0-9]{2})[0-9]{12,15}"
)
_IBAN_LENGTHS = {  # the SWIFT registry's, by country
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_IBAN = re.compile(
    r"[A-Z](?<!\w.)[A-Z][0-9]{2}(?:"
    + "|".join(
        rf"(?<=(?:{'|'.join(countries.split())})[0-9][0-9])(?: ?[A-Z0-9]){{{length - 4}}}(?!\w)"
        for length, countries in _IBAN_LENGTHS.items()
    )
    + ")"
)
_SSN = re.compile(
    r"[0-8](?<![\w.,/+-].)[0-9]{2}(?<!000)(?<!666)-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?!\w|[.,/-]\w)"
)  # 9..: never given


def _is_card(match: Match) -> bool:
    digits = re.sub("[ -]", "", match[0])
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    luhn = sum(number // 10 + number % 10 for number in doubled)
    return luhn % 10 == 0 and len(set(digits)) > 1 and _ISSUED.fullmatch(digits) is not None


def _is_iban(match: Match) -> bool:
    """ISO 13616: the number with its head moved to the end is 1 modulo 97, letters counting from A = 10."""
    compact = match[0].replace(" ", "")
    return int("".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])) % 97 == 1


# ---- secrets --------------------------------------------------------------------------------------------------------

_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?P<kind>[A-Z0-9 ]{0,20}PRIVATE KEY(?: BLOCK)?)-----"
    r"(?P<body>(?:[^-]|-(?!----)){64,20000}+)-----END (?P=kind)-----"
)
_JSON_WEB_TOKEN = re.compile(
    r"eyJ(?<![\w-]...)[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{10,2000}(?![\w-])"
)
_AMAZON = re.compile(r"A(?<!\w.)(?:KIA|SIA)[A-Z2-7]{16}(?!\w)")
_GOOGLE = re.compile(r"AIza(?<![\w-]....)[A-Za-z0-9_-]{35}(?![\w-])")
_UNDERSCORED = tuple(  # GitHub, Stripe, npm, Hugging Face. One pattern for all would be slow: see `Form.places`
    re.compile(rf"{prefix}_(?<![\w-].{{{length}}}){rest}(?![\w-])")
    for prefix, length, rest in (
        ("gh[pousr]", 4, "[A-Za-z0-9]{36,255}"),
        ("github_pat", 11, "[A-Za-z0-9_]{60,255}"),
        ("sk_live", 8, "[A-Za-z0-9]{20,255}"),
        ("rk_live", 8, "[A-Za-z0-9]{20,255}"),
        ("npm", 4, "[A-Za-z0-9]{36}"),
        ("hf", 3, "[A-Za-z0-9]{34}"),
    )
)
_GITLAB = re.compile(r"glpat-(?<![\w-]......)[A-Za-z0-9_-]{20}(?![\w-])")
_SLACK = re.compile(r"xox(?<![\w-]...)[abeoprs]-[A-Za-z0-9-]{10,250}(?![\w-])")
_MODEL_MAKER = re.compile(r"sk-(?<![\w-]...)[A-Za-z0-9_-]{40,250}(?![\w-])")  # OpenAI, Anthropic and others
_CREDENTIALS = re.compile(
    r"(?<=://)[^\s/:@<>{}$*\"'`]{0,64}:(?P<word>[^\s/@<>{}$*\"'`]{1,128})(?=@(?P<host>\[|\w[\w.-]{0,253}))"
)
_SPELLED = re.compile(r"[a-z]+|\W*(?:pw|x+)\W*|.*(?:pass|secret|token|pwd).*", re.IGNORECASE)


def _is_whole_key(match: Match) -> bool:
    return len(re.findall("[A-Za-z0-9+/=]", match["body"])) >= 64  # fewer: the dots of an explanation


def _is_random(match: Match) -> bool:
    """Digits and letters of both cases or many digits, and not the EXAMPLE of a manual."""
    token = match[0]
    return len(re.findall("[0-9]", token)) >= 2 and "EXAMPLE" not in token.upper()


def _is_password(match: Match) -> bool:
    """Letters alone are the words of a manual, user:password or scott:tiger, more often than a password."""
    return not _SPELLED.fullmatch(match["word"]) and not _NOBODYS_HOST.fullmatch(match["host"])


# ---- kinds ----------------------------------------------------------------------------------------------------------


# In this order, what contains another kind first: a URL's password@host looks like an address.
KINDS: dict[str, tuple[str, tuple[Form, ...]]] = {
    "secret": (
        "<SECRET>",
        (
            Form(_PRIVATE_KEY, _is_whole_key, _has(b"AAA-----")),
            Form(_JSON_WEB_TOKEN, hint=_seen(rb"\.A[0A_-]{5,}\.[0A_-]{3}")),
            Form(_AMAZON, _is_random, _seen(b"AAAA[0A]{16}")),
            Form(_GOOGLE, _is_random, _seen(b"AA[0A_-]{10}")),
            *(Form(key, _is_random, _seen(b"_A{0,8}0[0A]{5}")) for key in _UNDERSCORED),
            *(Form(key, _is_random, _seen(b"-[0A][0A_-]{6}")) for key in (_GITLAB, _SLACK, _MODEL_MAKER)),
            Form(_CREDENTIALS, _is_password, _seen(rb"://[^/:@\n]{0,64}:[^/@\n]{0,512}@")),
        ),
    ),
    "email": ("<EMAIL>", (Form(_EMAIL, _is_address, _seen(rb"@[0A-]{0,63}\."), _users),)),
    "iban": ("<IBAN>", (Form(_IBAN, _is_iban, _seen(b"AA00(?:A{0,4}0{6}|000AAA0{4})")),)),
    "card": ("<CARD>", (Form(_CARD, _is_card, _has(b"0" * 13, b"0000-0000-0000", b"0000-000000-0000")),)),
    "ssn": ("<SSN>", (Form(_SSN, hint=_has(b"000-00-0000")),)),
    "phone": (
        "<PHONE>",
        (
            Form(_INTERNATIONAL, _is_international, _seen(rb"\+0[0.()/-]{7}")),
            Form(_NORTH_AMERICAN_AREA, hint=_has(b"(000)000")),
            Form(_NORTH_AMERICAN, hint=_has(b"000-000-0000", b"000.000.0000")),
            Form(_TRUNK, hint=_has(b"0" * 10, b"00.00.00.00.00", b"0-0000-0000", b"00/000000")),
        ),
    ),
    "ipv6": ("<IP>", (Form(_IPV6, _is_public_ipv6, _seen(b":[0A]{0,4}:[0A]{0,4}:"), _ipv6_heads),)),
    "ipv4": ("<IP>", (Form(_IPV4, _is_public_ipv4, _seen(rb"0\.0{1,3}\.0{1,3}\.0")),)),
}
