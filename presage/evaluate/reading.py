"""The corpus of a scan: files, folders, globs or finished corpus runs, document by document, with progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from presage.core.errors import DataError
from presage.core.progress import Progress
from presage.data.batches import byte_length
from presage.data.documents import Bad, Document, find_files, read_file
from presage.data.records import SPLITS, open_corpus, read_split

SOURCE = "corpus"


class Corpus:
    """Where documents come from. `skipped` holds what could not be read, if that is allowed."""

    def __init__(self, paths: Sequence[Path], *, skip_unreadable: bool = False) -> None:
        """Raises DataError when a path does not exist or a folder or glob holds nothing readable."""
        self._runs = [path for path in paths if (path / "origin.json").is_file()]
        self._files = find_files([str(path) for path in paths if path not in self._runs])
        self._skip = skip_unreadable
        self.skipped: list[Bad] = []

    def holds(self, file: Path) -> bool:
        """Whether a file is itself one of the corpus's files."""
        return any(location.exists() and location.samefile(file) for location, _ in self._files)

    def documents(self) -> Iterator[Document]:
        """Every document. Raises DataError at the first that cannot be read (unless skipped), or if there is no text.

        CorruptError where a corpus run is not whole.
        """
        read = False
        for document in self._all():
            if isinstance(document, Bad):
                self._refuse(document)
            elif document.text.strip():
                read = True
                yield document
        if not read:
            raise DataError("the corpus holds no text", where=_listed(self._runs, self._files))

    def _all(self) -> Iterator[Document | Bad]:
        for run in self._runs:
            for split in SPLITS:
                yield from read_split(run, split)
        sizes = [location.stat().st_size if location.is_file() else 0 for location, _ in self._files]
        done = 0
        with Progress("contamination", total=sum(sizes), unit="B") as progress:
            for (location, name), size in zip(self._files, sizes, strict=True):
                yield from read_file(SOURCE, location, name)
                done += size
                progress.update(done, file=name)

    def _refuse(self, bad: Bad) -> None:
        where = ": ".join(part for part in (bad.path, bad.place) if part)
        if not self._skip:
            raise DataError(bad.reason, where=where, hint="--skip-unreadable goes on without it")
        self.skipped.append(bad)


def watched(corpus: Path, split: str, label: str) -> Iterator[Document]:
    """The documents of a corpus run's split, with progress by its bytes under a label. Raises as read_split does."""
    done = 0
    with Progress(label, total=int(open_corpus(corpus).value(f"{split}/bytes")), unit="B") as progress:
        for document in read_split(corpus, split):
            yield document
            done += byte_length(document.text)
            progress.update(done)


def _listed(runs: Sequence[Path], files: Sequence[tuple[Path, str]]) -> str:
    names = [*map(str, runs), *(name for _, name in files)]
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
