"""CSV tables that people hand in: one frame for all readers, so that a mistake is named by file, line and column."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from presage.core.errors import DataError

TINY, HUGE = 1e-60, 1e60  # beyond these a number is a slip, and its powers overflow
OTHER_SEPARATORS = {";": "';'", "\t": "a tab", "|": "'|'"}


@dataclass(frozen=True)
class Row:
    """One row: its `place` (FILE:LINE), and its cells by column. A cell that is not there is empty text."""

    place: str
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    @property
    def fitted(self) -> bool:
        """False where a column of that name says no, false or 0."""
        return self["fitted"].lower() not in ("false", "0", "no")

    def error(self, what: str, column: str | None = None, hint: str | None = None) -> DataError:
        """The error to raise for this row, or for one cell of it."""
        return DataError(what, where=f"{self.place}: {column}" if column else self.place, hint=hint)

    def number(self, column: str, low: float = -HUGE, high: float = HUGE, hint: str | None = None) -> float:
        """The number in a cell, from `low` to `high`. Raises DataError naming file, line and column."""
        value = self._parsed(column, hint)
        if not low <= value <= high:
            raise self.error(f"{self[column]} is not between {low:g} and {high:g}", column, hint)
        return value

    def positive(self, column: str, hint: str | None = None) -> float:
        """A number above 0 of a size that anything measured has. Raises DataError naming file, line and column."""
        value = self._parsed(column, hint)
        if not TINY < value < HUGE:
            raise self.error(f"{self[column]} is not a positive number of a sane size", column, hint)
        return value

    def _parsed(self, column: str, hint: str | None) -> float:
        try:
            return float(self[column])
        except ValueError:
            raise self.error(f"'{self[column]}' is not a number", column, hint) from None


class Line(NamedTuple):
    """Cells as they stand in the file, and the number of the line they begin on."""

    number: int
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """A header and the lines below it."""

    path: Path
    header: Line
    lines: tuple[Line, ...]

    @property
    def columns(self) -> list[str]:
        return self.header.cells

    def first_of(self, names: Sequence[str], default: str) -> str:
        """The first of these columns that is there, or `default`."""
        return next((name for name in names if name in self.columns), default)

    def rows(self, needed: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
        """The cells of `needed` columns, and of `optional` ones where they are there; all others are ignored.

        Raises DataError for a column that is missing or there twice, a row with more cells than columns, or no rows.
        """
        place = f"{self.path}:{self.header.number}"
        for name in needed:
            if name not in self.columns:
                raise DataError(f"no column '{name}'", where=place, hint=self._why_missing())
        wanted = [name for name in (*needed, *optional) if name in self.columns]
        for name in wanted:
            if self.columns.count(name) > 1:
                raise DataError(f"column '{name}' is there twice", where=place)
        if not self.lines:
            raise DataError("no rows below the header", where=place)
        at = {name: self.columns.index(name) for name in wanted}
        return [self._row(line, at) for line in self.lines]

    def _row(self, line: Line, at: dict[str, int]) -> Row:
        row = Row(f"{self.path}:{line.number}", {n: line.cells[i] for n, i in at.items() if i < len(line.cells)})
        if len(line.cells) > len(self.columns):
            what = f"more cells than the {len(self.columns)} columns"
            raise row.error(what, hint="quote a cell that holds a comma")
        return row

    def _why_missing(self) -> str:
        header = ", ".join(self.columns)
        for sign, name in OTHER_SEPARATORS.items():
            if sign in header:
                return f"the first line has {name} where ',' is expected: save as comma-separated"
        return f"columns: {header or 'none'}"


def read_table(path: Path) -> Table:
    """A comma-separated UTF-8 file whose first line names the columns. Blank lines and spaces around cells are dropped.

    Raises DataError naming file, and line where there is one, for what is none.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            header, *lines = _lines(path, file) or [Line(1, [])]
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from None
    except UnicodeDecodeError as error:
        raise DataError(f"not a CSV table: {error}", where=path, hint="save it as UTF-8") from None
    return Table(path, header, tuple(lines))


@contextlib.contextmanager
def about(place: object) -> Iterator[None]:
    """Gives errors about a table's content as a whole, found where its file is no longer known, that file's name."""
    try:
        yield
    except DataError as error:
        raise DataError(error.what, where=error.where or place, hint=error.hint) from None


def _lines(path: Path, file: Iterable[str]) -> list[Line]:
    """Those that hold anything."""
    reader = csv.reader(file, strict=True)
    lines, begins = [], 1
    try:
        for cells in reader:
            lines.append(Line(begins, [cell.strip() for cell in cells]))
            begins = reader.line_num + 1  # a quoted cell may hold many lines
    except csv.Error as error:
        raise DataError(f"not a CSV table: {error}", where=f"{path}:{begins}") from None
    return [line for line in lines if any(line.cells)]
