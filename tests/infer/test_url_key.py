"""Where an endpoint is, and its key: which is sent and stands nowhere else."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from presage.core.errors import ConfigError, PresageError
from presage.infer.url import UrlModel
from presage.infer.url_settings import Key, read_address, read_key
from tests.infer.endpoint import (
    GO,
    KEY,
    Body,
    Reply,
    Rule,
    Then,
    error,
    honest,
    message,
    one_line_without_key,
    opened,
    serving,
)

# ---- addresses, settings, keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    ["ftp://host/v1#m", "host/v1#m", "https://#m", "https://host:99999/v1#m", "https://ho st/v1#m", "https://[::1/v1"],
)
def test_an_address_that_is_none(spec: str) -> None:
    with pytest.raises(ConfigError, match="https://HOST/v1#MODEL"):
        read_address(spec, None)


@pytest.mark.parametrize("spec", [f"https://me:{KEY}@host/v1#m", f"https://host/v1?key={KEY}#m"], ids=["user", "query"])
def test_a_secret_in_an_address_is_refused_and_not_repeated(spec: str) -> None:
    with pytest.raises(ConfigError, match="--key-file") as caught:
        UrlModel.open(spec)
    one_line_without_key(caught.value)


def test_addresses_are_taken_apart() -> None:
    found = read_address("https://Host.example:8443/api/v1/#org/model-7b", None)
    assert (found.base, found.host, found.model) == (
        "https://host.example:8443/api/v1",
        "host.example:8443",
        "org/model-7b",
    )
    assert read_address("http://[::1]:8000/v1", "m").base == "http://[::1]:8000/v1"
    assert [
        read_address(f"http://{host}/v1", None).open_line for host in ("localhost", "127.0.0.1", "[::1]", "a.b")
    ] == [
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"timeout": 3}, "did you mean 'timeout_s'"),
        ({"concurrency": 0}, "concurrency: .*greater than 0"),
        ({"requests_per_minute": -1.0}, "requests_per_minute"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"proxy": "gopher://x"}, "proxy"),
    ],
    ids=str,
)
def test_a_setting_that_does_not_fit(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        UrlModel.open("http://127.0.0.1:1/v1#m", **settings)


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"one\ntwo", "schlüssel".encode(), b"x" * 5000])
def test_a_file_that_holds_no_key(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigError, match="no key in it") as caught:
        read_key(tmp_path / "key")
    assert "two" not in str(caught.value)


@pytest.mark.parametrize("name", [KEY, f"{KEY}\0", KEY * 200], ids=["key", "nul", "long"])
def test_a_key_in_place_of_its_file_is_not_repeated(name: str) -> None:
    with pytest.raises(ConfigError, match="the name of a file that holds the key") as caught:
        UrlModel.open("https://models.example/v1#m", key_file=name)
    one_line_without_key(caught.value)


def test_a_key_is_not_sent_in_the_open(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    with pytest.raises(ConfigError, match=r"unencrypted.*--set plain_http=true") as caught:
        UrlModel.open("http://models.example/v1#m", key_file=tmp_path / "key")
    one_line_without_key(caught.value)


def parrot(key: str) -> Rule:
    """Writes the key into whatever it can, as an endpoint may that answers with what it was sent."""
    replies = [error(500, f"bad {key}"), error(429, key), Reply(raw=key.encode()), message(f"your key is {key}")]

    def rule(path: str, body: Body) -> Reply:
        if body.get("max_tokens") == 1:
            return honest(path, body)
        return replies.pop(0) if replies else error(418, f"no tea for {key}", param=key, code=key)

    return rule


def test_the_key_is_sent_and_stands_nowhere_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    with serving(parrot(KEY)) as endpoint:
        model = opened(endpoint, key_file=file)
        [[found]] = model.generate(GO)
        with pytest.raises(PresageError) as caught:
            model.generate(GO)
        assert set(endpoint.keys) == {f"Bearer {KEY}"}
    parts = (
        found,
        model,
        model.identity(),
        model.usage,
        model.usage.table(),
        model.client,
        vars(model),
        vars(model.client),
    )
    shown = [repr(part) for part in parts]
    error_of = caught.value
    while error_of is not None:
        shown += [str(error_of), repr(error_of), repr(vars(error_of))]
        error_of = error_of.__cause__ or error_of.__context__  # type: ignore[assignment]
    out = capfd.readouterr()
    for text in [*shown, caplog.text, out.out, out.err]:
        assert KEY not in text
    assert found.text == "your key is [key]"
    assert "no tea for [key]" in str(caught.value)
    assert len(caplog.text) > 0, "the libraries did log"


def test_a_placeholder_for_a_key_does_not_change_answers(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("EMPTY")
    with serving(Then(message("An EMPTY box"))) as endpoint:
        assert opened(endpoint, key_file=tmp_path / "key").generate(GO)[0][0].text == "An EMPTY box"


def test_a_key_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="not written down"):
        Key(KEY).__reduce__()
    assert (repr(Key(KEY)), repr(Key())) == ("Key(hidden)", "Key(none)")


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving(honest) as endpoint:
        assert opened(endpoint).generate(GO)[0][0].text == " Wednesday, Thursday"


def test_a_proxy_is_used_where_it_is_named() -> None:
    with serving(lambda path, body: honest(path.rpartition("/v1/")[2], body)) as endpoint:
        proxy = endpoint.url.removesuffix("/v1")
        model = UrlModel.open("http://models.example/v1#toy", proxy=proxy)
        assert model.generate(GO)[0][0].text == " Wednesday, Thursday"
        assert endpoint.paths()[0] == "http://models.example/v1/chat/completions"
        assert proxy not in repr(model.client.settings)


@pytest.mark.parametrize("spelling", ["slash", "unicode"])
def test_a_key_in_another_spelling_of_json_is_hidden(tmp_path: Path, spelling: str) -> None:
    key = "sk-0123/456789abcdef/SECRET"
    spelt = key.replace("/", "\\/") if spelling == "slash" else "".join(f"\\u{ord(c):04x}" for c in key)
    (tmp_path / "key").write_text(key)
    raw = f'{{"choices": [{{"message": {{"content": "it is {spelt}"}}}}]}}'.encode()
    with serving(Then(Reply(raw=raw))) as endpoint:
        assert opened(endpoint, key_file=tmp_path / "key").generate(GO)[0][0].text == "it is [key]"
