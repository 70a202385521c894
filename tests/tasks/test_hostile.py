"""All hostile programs, on both tiers, as root and as an ordinary user: none comes off, the host stays as it was."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from presage.core.errors import Unavailable
from presage.tasks.sandbox import Sandbox
from presage.tasks.sandbox.tiers import NONE, TIERS
from tests.tasks import hostile
from tests.tasks.hostile import ATTACKS, CONFIGS, Config, described, missing, names, outcomes

IS_ROOT = os.geteuid() == 0
# Two of the four for every day: each tier, and each kind of user where there are both.
DAILY = (Config(TIERS[0], "root" if IS_ROOT else "user"), Config(TIERS[1], "user"))
PARAMS = [one if one in DAILY else pytest.param(one, marks=pytest.mark.slow) for one in CONFIGS]


@pytest.fixture(scope="module", params=PARAMS, ids=str)
def config(request: pytest.FixtureRequest) -> Config:
    reason = missing(request.param)
    if reason is not None:
        pytest.skip(reason)
    found: Config = request.param
    return found


def test_the_list_is_whole() -> None:
    numbers = [name.split("_")[0] for name in names()]
    wanted = [*((f"c{n:02}") for n in range(1, 42)), *(f"p{n:02}" for n in range(1, 5))]
    assert numbers == sorted([*wanted, *(f"x{n:02}" for n in range(1, 29))])
    readme = (ATTACKS / "README.md").read_text(encoding="utf-8")
    assert [name for name in names() if f"| `{name}.py` | {described(name)} |" not in readme] == []


@pytest.mark.parametrize("name", names())
def test_contained(config: Config, name: str) -> None:
    outcome = outcomes(config)[name]
    assert outcome.harm == []
    assert outcome.reason != "passed", outcome.detail
    assert outcome.next == "passed"


def test_some_of_them_come_off_without_isolation() -> None:
    """The programs do what they say: it is the isolation that holds them."""
    try:
        opened = Sandbox.open(accept_unsandboxed=True, tier=NONE, jobs=1)
    except Unavailable as error:
        pytest.skip(str(error))
    with opened as box, ExitStack() as stack:
        for name in ("c08_host_files", "c18_thread_flood", "p01_posix_fork"):
            host = hostile.Host(stack, box.slots[0])
            assert box.check([hostile._program(name, host)])[0].passed, name
        host = hostile.Host(stack, box.slots[0])
        box.check([hostile._program("c34_run_programs", host)])
        assert "the host's folder changed" in host.harm()
