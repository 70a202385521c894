"""Documents between two passes: read back from anywhere; a half-written folder does not count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from presage.data.build import spool
from presage.data.build.spool import Reader, Row, Writer, whole_folder
from presage.data.build.tally import SAMPLES, Sample, Tally

TEXTS = st.lists(st.text(max_size=40), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(TEXTS, st.sets(st.integers(0, 29)), st.integers(1, 200))
def test_any_rows_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: list[str], wanted: set[int], frame: int
) -> None:
    monkeypatch.setattr(spool, "FRAME", frame)
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    rows = [Row(f"p{n}", n - 1, text) for n, text in enumerate(texts)]
    writer = Writer(folder)
    writer.add(rows)
    writer.column("n", np.arange(len(rows), dtype="<i8"))
    writer.close()
    reader = Reader(folder)
    assert len(reader) == len(rows)
    assert list(reader.rows()) == rows
    chosen = sorted(n for n in wanted if n < len(rows))
    assert list(reader.rows(np.array(chosen, np.int64))) == [rows[n] for n in chosen]
    assert reader.column("n", "<i8", 1)[:, 0].tolist() == list(range(len(rows)))
    assert reader.column("none", "<i8", 3).shape == (0, 3)


def test_a_folder_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "step" / "000001"

    def write(text: str, fail: bool) -> None:
        with whole_folder(target) as folder:
            folder.mkdir()
            (folder / text).write_text(text)
            if fail:
                raise KeyError(text)

    with pytest.raises(KeyError):
        write("first", True)
    assert not target.exists()
    write("second", False)
    assert [path.name for path in target.iterdir()] == ["second"]


@given(st.permutations(range(20)), st.integers(0, 20))
def test_tallies_add_up_to_the_same_in_any_order(order: list[int], cut: int) -> None:
    def tally(numbers: list[int]) -> Tally:
        found = Tally()
        for n in numbers:
            found.counts["read/documents"] += 1
            found.languages["en"] += n
            found.removals["rule"].add(1, n, 1, [Sample.of(f"p{n}", "1", "text")])
        return found

    whole = tally(list(range(20)))
    parts = tally(order[:cut])
    parts.add(tally(order[cut:]))
    again = Tally.from_json(parts.as_json())
    assert again.as_json() == parts.as_json() == whole.as_json()
    assert len(whole.removals["rule"].samples) == SAMPLES
