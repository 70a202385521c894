"""Files of tensors are those that the library writes, byte by byte, with their digest."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from presage.core.files import sha256
from presage.model.tensorfile import NAMES, save_tensors

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(lambda n: n != "__metadata__")
shapes = st.lists(st.integers(0, 4), max_size=3)
listed = st.dictionaries(names, st.tuples(st.sampled_from([*NAMES]), shapes), max_size=6)


@given(listed, st.none() | st.just({"format": "pt"}))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_file_is_the_librarys(
    tmp_path: Path, kinds: dict[str, tuple[torch.dtype, list[int]]], metadata: dict[str, str] | None
) -> None:
    chance = torch.Generator().manual_seed(len(kinds))
    tensors = {name: torch.randint(0, 2, shape, generator=chance).to(dtype) for name, (dtype, shape) in kinds.items()}
    own, library = tmp_path / "own", tmp_path / "library"
    digest = save_tensors(own, tensors, metadata)
    save_file(tensors, library, metadata=metadata)
    assert own.read_bytes() == library.read_bytes()
    assert digest == sha256(own)


def test_a_turned_tensor_is_written_as_it_reads(tmp_path: Path) -> None:
    turned = torch.arange(6.0).reshape(2, 3).T
    save_tensors(tmp_path / "turned", {"turned": turned, "part": turned[1:, :1]})
    read = load_file(tmp_path / "turned")
    assert torch.equal(read["turned"], turned) and torch.equal(read["part"], turned[1:, :1])


def test_numbers_that_no_file_has(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="complex64"):
        save_tensors(tmp_path / "wrong", {"wrong": torch.zeros(1, dtype=torch.complex64)})
