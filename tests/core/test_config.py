"""Configs: round trip, typed overrides, suggestions, differences, parents."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.config import Config, Parent, diff, flatten
from presage.core.errors import ConfigError


class Optim(Config):
    lr: float = 0.01
    betas: tuple[float, ...] = (0.9, 0.95)


class Example(Config):
    name: str = "a"
    steps: int = 1
    scale: int | float = 1
    fused: bool = False
    pattern: Literal["gpt2", "cl100k"] = "gpt2"
    note: str | None = None
    limit: int | None = None
    optim: Optim = Optim()
    budgets: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    table: dict[str, float] = {}
    shards: Parent | None = None
    rungs: tuple[Parent, ...] = ()
    optims: tuple[Optim, ...] = ()


class Outer(Config):
    inner: Example = Example()
    extra: Optim | None = None


text = st.text(st.characters(exclude_categories=["Cs"]))
finite = st.floats(allow_nan=False, allow_infinity=False)
examples = st.builds(
    Example,
    name=text,
    steps=st.integers(),
    scale=st.one_of(st.integers(), finite),
    fused=st.booleans(),
    pattern=st.sampled_from(["gpt2", "cl100k"]),
    note=st.none() | text,
    limit=st.none() | st.integers(),
    optim=st.builds(Optim, lr=finite, betas=st.lists(finite).map(tuple)),
    budgets=st.lists(finite).map(tuple),
    words=st.lists(text).map(tuple),
    table=st.dictionaries(text, finite),
)


@given(examples)
def test_json_round_trip(config: Example) -> None:
    assert Example.from_json(config.to_json()) == config


@given(st.integers())
def test_integer_override(value: int) -> None:
    assert Example().override([f"steps={value}"]).steps == value


@given(finite)
def test_float_override(value: float) -> None:
    assert Example().override([f"optim.lr={value!r}"]).optim.lr == value


@given(text.filter(lambda value: value == value.strip()))
def test_text_override_takes_any_text(value: str) -> None:
    assert Example().override([f"name={value}"]).name == value


@given(st.lists(finite))
def test_list_override(values: list[float]) -> None:
    assert Example().override([f"budgets={values}"]).budgets == tuple(values)


@pytest.mark.parametrize(
    ("assignment", "key", "value"),
    [
        ("fused=true", "fused", True),
        ("fused=False", "fused", False),
        ("steps=1e6", "steps", 1_000_000),
        ("steps=-3", "steps", -3),
        ("optim.lr=1e-3", "optim.lr", 0.001),
        ("optim.lr=2", "optim.lr", 2.0),
        ("scale=2", "scale", 2),
        ("scale=0.5", "scale", 0.5),
        ("note=none", "note", None),
        ("note=[text", "note", "[text"),
        ("note=[]", "note", "[]"),
        ("note=a=b", "note", "a=b"),
        ("limit=none", "limit", None),
        ("limit=null", "limit", None),
        ("shards=null", "shards", None),
        ("name=null", "name", "null"),
        ("limit=1e3", "limit", 1000),
        ("name=none", "name", "none"),
        ("name=", "name", ""),
        ("words=word", "words", ["word"]),
        ('words=["a","b"]', "words", ["a", "b"]),
        ("budgets=[]", "budgets", []),
        ("budgets=1e9", "budgets", [1e9]),
        ('table={"a": 1}', "table", {"a": 1.0}),
        ("pattern=cl100k", "pattern", "cl100k"),
        ("shards=runs/shards", "shards", "runs/shards"),
        (" steps = 7 ", "steps", 7),
    ],
)
def test_override_is_typed_by_its_field(assignment: str, key: str, value: object) -> None:
    config = Example(note="something", limit=3).override([assignment])
    data: object = config.model_dump(mode="json")
    for part in key.split("."):
        data = data[part]  # type: ignore[index]
    assert data == value
    assert type(data) is type(value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("shards=", "shards: an empty path.*none"),
        ("rungs=", "rungs: an empty path"),
        ("steps=many", "steps: .*valid integer.*'many'"),
        ("steps=1.5", "steps: .*'1.5'"),
        ("steps=inf", "steps: .*'inf'"),
        ("steps=none", "steps: .*'none'"),
        ("steps=", "steps: .*''"),
        ("fused=maybe", "fused: .*valid boolean.*'maybe'"),
        ("optim.lr=nan", "optim.lr: .*finite"),
        ("optim.lr=inf", "optim.lr: .*finite"),
        ("optim.lr=fast", "optim.lr: .*valid number.*'fast'"),
        ("optim.betas=[0.9,", "optim.betas: .*not JSON"),
        ('budgets=[1,"x"]', "budgets.1: .*'x'"),
        ("pattern=gpt3", "pattern: .*'gpt2' or 'cl100k'.*'gpt3'"),
        ("step=1", "unknown key 'step'.*did you mean 'steps'"),
        ("optim.lrr=1", "unknown key 'optim.lrr'.*did you mean 'lr'"),
        ("zzz=1", "unknown key 'zzz'.*known: budgets, "),
        ("steps.x=1", "'steps' in 'steps.x' has no keys"),
        ("steps", "'steps' is not key=value"),
        ("=1", "unknown key ''"),
    ],
)
def test_a_bad_override_names_its_key(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Example().override([assignment])
    assert "\n" not in str(caught.value)


def test_override_below_an_unset_field_says_so() -> None:
    with pytest.raises(ConfigError, match=r"'extra' is not set.*set extra first"):
        Outer().override(["extra.lr=1"])
    assert Outer().override(['extra={"lr": 1}', "extra.lr=2"]).extra == Optim(lr=2)


def test_overrides_apply_in_order_and_leave_the_original() -> None:
    config = Example()
    assert config.override(["steps=2", "steps=3"]).steps == 3
    assert config.steps == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"stepz": 1}, "here: unknown key 'stepz'.*did you mean 'steps'"),
        ({"optim": {"betass": []}}, "unknown key 'optim.betass'.*did you mean 'betas'"),
        ({"optims": [{"lrs": 1}]}, "unknown key 'optims.0.lrs'.*did you mean 'lr'"),
        ({"table": {"a": "x"}}, "table.a: "),
        ({"optim": {"lr": float("nan")}}, "optim.lr: .*finite"),
        ({"steps": "x" * 1000}, "steps: "),
        ({"optim": 3}, "optim: "),
    ],
)
def test_bad_data_names_place_and_key(data: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Example.parse(data, where="here")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"steps": 1,}', "nul"])
def test_text_that_is_no_config_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"c\.json"):
        Example.from_json(text, where="c.json")


def test_a_config_cannot_change() -> None:
    with pytest.raises(Exception, match="frozen"):
        Example().steps = 2  # type: ignore[misc]


def test_flatten_keeps_every_leaf() -> None:
    flat = flatten(Outer())
    assert flat["inner.optim.lr"] == 0.01
    assert flat["extra"] is None
    assert flat["inner.table"] == {}
    assert not any(isinstance(value, dict) and value for value in flat.values())


@given(examples, examples)
def test_diff_names_what_differs(a: Example, b: Example) -> None:
    changed = diff(a, b)
    assert (changed == {}) == (flatten(a) == flatten(b))
    assert changed == {key: pair[::-1] for key, pair in diff(b, a).items()}
    assert diff(a, a) == {}


def test_parents_are_found_wherever_they_are() -> None:
    config = Outer(inner=Example(shards=Path("s"), rungs=(Path("r0"), Path("r1"))))
    assert config.parents() == {
        "inner.shards": Path("s"),
        "inner.rungs.0": Path("r0"),
        "inner.rungs.1": Path("r1"),
    }
    assert Example().parents() == {}
