"""The report keeps the contract of every stage: same runs, same files, also when killed and resumed."""

from __future__ import annotations

from pathlib import Path

from presage.report import render
from tests.report.conftest import Chain
from tests.stage import check_stage


def test_the_stage_contract(chain: Chain, tmp_path: Path) -> None:
    check_stage(render, chain.config(without=("target",)), tmp_path, kills=2)
