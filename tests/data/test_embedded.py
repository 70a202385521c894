"""The embedded corpus: which files it reads, and that it is the same from run to run."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from presage.core.run import RunDir
from presage.data import corpus, embedded
from presage.data.build import parts
from presage.data.documents import Document, Limits
from presage.data.embedded import InstalledFile, Package, installed_files, read_embedded


def test_files_are_listed_once_in_order_and_without_places_on_this_machine() -> None:
    files = list(installed_files())
    names = [file.path for file in files]
    assert names == sorted(set(names))
    assert all(name.startswith(("stdlib/", "site-packages/")) for name in names)
    assert {"stdlib/json/decoder.py", "site-packages/numpy/__init__.py"} <= set(names)
    assert [f.path for f in installed_files()] == names


def test_left_out() -> None:
    names = [file.path for file in installed_files()]
    assert not [n for n in names if "/tests/" in n or "/test/" in n or "/presage/" in n or "__pycache__" in n]
    assert not [n for n in names if re.search(r"licen[cs]es?[./]|/\.\./", n, re.IGNORECASE) and not n.endswith(".py")]


def test_packages_have_versions_and_licences() -> None:
    packages = {file.package.name: file.package for file in installed_files()}
    assert packages["python"].licence == "PSF-2.0"
    assert "numpy" in packages and packages["numpy"].version[0].isdigit()
    assert all(package.version and package.licence for package in packages.values())
    assert len(packages) > 20


def test_prose_and_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = Package("thing", "1.0", "MIT")
    files = {
        "thing/a.py": '"""A thing. It does."""\nx = 1\n',
        "thing/guide.rst": "A guide. It tells all.\n",
        "thing/data.txt": "1 2 3 4 5 6 7 8 9\n",
        "thing-1.0.dist-info/METADATA": "Name: thing\n\nThe thing does things. Really.\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = [InstalledFile(package, f"site-packages/{name}", tmp_path / name) for name in files]
    monkeypatch.setattr(embedded, "installed_files", lambda: iter(found))
    docs = {d.path: d.text for p, d in read_embedded("s", "python-docs", Limits()) if isinstance(d, Document)}
    assert docs == {
        "site-packages/thing/a.py": "A thing. It does.",
        "site-packages/thing/guide.rst": "A guide. It tells all.\n",
        "site-packages/thing/data.txt": "",
        "site-packages/thing-1.0.dist-info/METADATA": "The thing does things. Really.\n",
    }
    code = list(read_embedded("s", "python-code", Limits()))
    assert code == [(package, Document("s", "site-packages/thing/a.py", files["thing/a.py"]))]
    world = {d.path: d.text for p, d in read_embedded("s", "python-world", Limits()) if isinstance(d, Document)}
    assert world == docs | {"site-packages/thing/a.py": files["thing/a.py"]}, "sources whole, the rest as prose"


def test_the_language_reference_is_read() -> None:
    file = next(f for f in installed_files() if f.path == "stdlib/pydoc_data/topics.py")
    text = embedded._prose_of(file.path, file.location.read_text(encoding="utf-8"))
    assert 'The "assert" statement' in text and 'The "with" statement' in text


def test_the_same_twice_and_packages_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On every 40th file, so that it takes a second."""
    some = list(itertools.islice(installed_files(), 0, None, 40))
    monkeypatch.setattr(parts, "installed_files", lambda: iter(some))
    runs = [corpus.run(corpus.Config(), tmp_path / name) for name in ("one", "two")]
    assert runs[0].digest == runs[1].digest
    rows = (runs[0].path / "tables" / "packages.csv").read_text().splitlines()
    assert rows[0] == "package,version,licence,documents,bytes"
    documents = sum(int(row.rsplit(",", 2)[1]) for row in rows[1:])
    assert documents == runs[0].value("train/documents") + runs[0].value("val/documents") > 50


@pytest.mark.slow
def test_the_whole_of_python_docs(tmp_path: Path) -> None:
    run: RunDir = corpus.run(corpus.Config(), tmp_path / "corpus")
    assert run.value("train/bytes") > 10_000_000
    assert run.value("bad/documents") < 0.01 * run.value("read/documents")
