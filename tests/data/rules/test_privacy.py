"""What is personal is replaced, what only looks like it is not; redacting twice changes nothing; time is linear."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from presage.core.errors import ConfigError
from presage.data.rules.privacy import KINDS, redact

KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7bq9\n" * 12 + "-----END RSA PRIVATE KEY-----"
TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0.SflKxwRJSMeKKF2QT4fwpM"
)
LETTERS = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"  # 40 of them

REPLACED = [
    ("email", "write to Jane.Doe+lists@mail.uni-koeln.de.", "write to <EMAIL>."),
    ("email", "<joe_99@gmail.com>, mailto:ann@corp.co.uk", "<<EMAIL>>, mailto:<EMAIL>"),
    ("email", "\nx@y.io\n", "\n<EMAIL>\n"),
    ("email", "не пишите на ivan@yandex.ru!", "не пишите на <EMAIL>!"),
    ("ipv4", "from 74.125.224.84, port 80", "from <IP>, port 80"),
    ("ipv4", "[91.198.174.192]:443 and 185.15.59.224/32", "[<IP>]:443 and <IP>/32"),
    ("ipv6", "at (2001:4860:4001:801::1011).", "at (<IP>)."),
    ("ipv6", "2a02:ec80:300:ed1a::1 and 2620:0:861:ed1a:0:0:0:1", "<IP> and <IP>"),
    ("phone", "call +49 30 901820 or +44 (0)20 7946 0958.", "call <PHONE> or <PHONE>."),
    ("phone", "+12025550143; (+33 1 23 45 67 89)", "<PHONE>; (<PHONE>)"),
    ("phone", "(415) 555-2671, 415-555-2671, 415.555.2671", "<PHONE>, <PHONE>, <PHONE>"),
    ("phone", "Lifeline, call 1-800-273-8255, or", "Lifeline, call <PHONE>, or"),
    ("phone", "020 7946 0958 0161 to", "020 7946 0958 0161 to"),  # a row of numbers
    ("phone", "Tel. 020 7946 0958 or 0161 496 0000", "Tel. <PHONE> or <PHONE>"),
    ("phone", "tél. 01 23 45 67 89, Tokyo 03-1234-5678, 030/90182000", "tél. <PHONE>, Tokyo <PHONE>, <PHONE>"),
    ("card", "4111 1111 1111 1111 or 4111-1111-1111-1111", "<CARD> or <CARD>"),
    ("card", "Visa 4012888888881881, Amex 3782 822463 10005.", "Visa <CARD>, Amex <CARD>."),
    (
        "card",
        "5555555555554444 2223003122003222 6011111111111117",
        "5555555555554444 2223003122003222 6011111111111117",
    ),
    ("card", "3530111333300000, 30569309025904", "<CARD>, <CARD>"),
    ("iban", "IBAN: DE89 3704 0044 0532 0130 00, BIC", "IBAN: <IBAN>, BIC"),
    ("iban", "GB29NWBK60161331926819 and NO93 8601 1117 947", "<IBAN> and <IBAN>"),
    ("iban", "MT84MALT011000012345MTLCAST001S KZ86125KZT5004100100", "<IBAN> <IBAN>"),
    ("ssn", "SSN 219-09-9999.", "SSN <SSN>."),
    ("secret", f"key:\n{KEY}\nend", "key:\n<SECRET>\nend"),
    ("secret", f"Bearer {TOKEN}", "Bearer <SECRET>"),
    ("secret", "id = 'AKIA2E0A8F3B244C9986'".replace("0", "4").replace("8", "5").replace("9", "6"), "id = '<SECRET>'"),
    ("secret", f"ghp_{LETTERS[:36]} github_pat_{LETTERS}{LETTERS}", "<SECRET> <SECRET>"),
    ("secret", f"xoxb-123456789012-{LETTERS[:24]}", "<SECRET>"),
    ("secret", f"AIza{LETTERS[:35]}, sk_live_{LETTERS[:24]}", "<SECRET>, <SECRET>"),
    ("secret", f"sk-proj-{LETTERS}, hf_{LETTERS[:34]}, npm_{LETTERS[:36]}", "<SECRET>, <SECRET>, <SECRET>"),
    ("secret", f"rk_live_{LETTERS[:24]} gho_{LETTERS[:36]}", "<SECRET> <SECRET>"),
    ("secret", "postgres://admin:hunter2@db.corp.com/x", "postgres://<SECRET>@db.corp.com/x"),
]

KEPT = [
    '@dataclass\nclass A: x = y @ w.T; a@b.shape; t@w.to(device), q@k.mT, x@fc.wq, File "foo-bar@baz.py"',
    "ssh user@host, root@localhost, git@github.com:python/cpython.git",
    "someone@example.com, a.b@mail.example.org",
    "react@18.2.0 icon@2x.png https://medium.com/@someone/a.story",
    "Python 3.11.4, Chrome/91.0.4472.124, release 10.0.19041.1, v1.22.33.44, kernel 2.6.18.6",
    "see section 21.33.1.2 and version 23.45.67.89; OID 1.3.6.1.4.1.311, 1.2.3.4",
    "localhost 127.0.0.1, 10.0.0.138, 192.168.178.20",
    "172.16.254.1, 192.0.2.33, 203.0.113.77, 224.30.40.5, 255.255.255.0",
    "42.42.42.42 170.85.170.85 12.34.56.78 192.175.48.0/24 2620:4f:8000::/48 2620:0:2d0:200::",
    "::1 fe80::1ff:fe23:4567:890a 2001:db8::ff00:42:8329 fd12:3456:789a:1::1 a[2000::2] std::vector 12:30:45",
    "ISBN 978-0-306-40615-7, ISBN 0-306-40615-2, 978-1-938168-35-2, ISSN 2049-3630",
    "2023-11-05, 05/11/2023, 05.11.2023, 1990-1995, 2001-03-15T12:30:00+01:00, 20231105123000",
    "3.14159265358979, 0.4111111111111111, 1,234,567,890, +12.345678901, 6.02e+23, 1.5e+100000000",
    "arXiv:2005.14165v4, doi:10.1038/s41586-021-03819-2, 10.1145/3292500.3330701",
    "x = 300(6)+10(30)+30(14)+10(24), 1+100000000, +1 2 3 4 5 6 7 8 9, +4294967296 +4294967295",
    "2305843009213693951 4111111111111112 0000000000000000 1234567812345678",
    "3700 1200 3400 1234 5600 7800, 4500 1200 3400 1235",
    "000-12-3456, 666-12-3456, 987-65-4321, 123-00-4567, 123-45-0000, 1-123-45-6789",
    "GB29 NWBK 6016 1331 9268 18, AB12 3456, ISO 9001, RFC 2606, MT84 MALT",
    "AKIAIOSFODNN7EXAMPLE, ghp_short, sk-learn, task-management-and-scheduling-for-many-small-computers1",
    "http://scott:tiger@db.corp.com, http://jo:a%20secret@db.de, amqp://guest:4711x@localhost:5672, ftp://a:b1@example.com",
    "https://user:password@host.com, https://{user}:{password}@x.org, ftp://name:<pw>@host.de",
    "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PUBLIC KEY-----\n" + "MIIBIjANBgkq\n" * 20 + "-----END PUBLIC KEY-----",
    "00 01 02 03 04 05 06 07 08 09 0a 0b 01 23 45 67 89 ab cd ef",
    "the years 1914 1918 1939 1945, chr1:1234567-1235678, 555-0123, 0800",
    "<EMAIL> <IP> <PHONE> <CARD> <IBAN> <SSN> <SECRET>",
]


@pytest.mark.parametrize(("kind", "text", "expected"), REPLACED)
def test_replaced(kind: str, text: str, expected: str) -> None:
    redacted, found = redact(text)
    assert redacted == expected
    assert found == ({kind: expected.count("<") - text.count("<")} if redacted != text else {})
    assert redact(text, [kind])[0] == expected
    assert redact(text, KINDS.keys() - {kind})[0] == text  # no other kind takes it for its own


@pytest.mark.parametrize("text", KEPT)
def test_kept(text: str) -> None:
    assert redact(text) == (text, {})


def test_every_kind_has_a_case() -> None:
    assert {kind for kind, text, expected in REPLACED if text != expected} == KINDS.keys()


def test_counts_by_kind_and_surroundings_stay() -> None:
    text = "a@b.com wrote from 74.125.224.84\tto c@d.org\r\n — “yes”"
    assert redact(text) == ("<EMAIL> wrote from <IP>\tto <EMAIL>\r\n — “yes”", {"email": 2, "ipv4": 1})
    assert redact(text, []) == (text, {})


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no kind of personal data is called 'emails'.*did you mean 'email'"):
        redact("", ["emails"])


PIECES = [text for _, text, _ in REPLACED] + KEPT
CHARACTERS = st.text(alphabet="aA1 0924.-+@:/()_<>eyJ\n", max_size=8)


@given(st.lists(st.one_of(st.sampled_from(PIECES), CHARACTERS), max_size=6))
@example(["5.35.67.89", "+12025550143", "5.35.67.89"])
@example(["a@b.com" * 5])
def test_twice_is_once(pieces: list[str]) -> None:
    for glue in ("", " "):
        redacted, _ = redact(glue.join(pieces))
        assert redact(redacted) == (redacted, {})


@pytest.mark.parametrize(
    "unit",
    [
        "a", "1", "A", "-", ":", "+1", "1 ", "1-", "1.", "1.1.", "a@", "a.", "a@a.", "a@b.c", "://a:", "eyJ",
        "eyJa.eyJ",
        "-----BEGIN PRIVATE KEY-----", "A1", "GB29 ", "2001:", "2:", "(212) ", "+1 (", "4111 ", "sk-", "a_", "AKIA",
        "a@b.com", "+12025550143", "74.125.224.84-", "4111111111111111,", "://a:b@c",
        "<EMAIL>", "2001:a", "2001:1:1:1 ", "gh", "a@a-", "+4930901820 1.1.1.1 ",
    ],
)  # fmt: skip
def test_time_is_linear(unit: str) -> None:
    """200 kB of what a pattern begins with. Quadratic time would be minutes."""
    text = unit * (200_000 // len(unit))
    start = time.process_time()
    redact(text)
    assert time.process_time() - start < 5
