"""The ratchet: layers, no cycles, short files, data never run as code, documented, generated files up to date."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from presage.cli import STAGES
from tests.golden_recipes import FOLDER, recipes
from tests.imports import PACKAGE, ROOT, imports, sources

# A room imports only from rooms further left in this table, or from itself; see docs/architecture.md.
LAYERS = (
    {"core"},
    {"data"},
    {"model"},
    {"train", "tasks", "infer"},
    {"align", "forecast", "evaluate", "serve", "report"},
    {"recipes", "bench"},
    {"cli"},
    {"__main__"},
)
READS_ONLY = {"report": {"core"}}
STAGE_MODULES = [*(module for module, _ in STAGES.values())]
STAGE_MODULES += [
    f"presage.forecast.{name}" for name in ("seal", "score", "branches", "record", "planned", "collapsed")
]
STAGE_MODULES += [f"presage.evaluate.{name}" for name in ("memorisation", "scan", "scores", "run", "scaling")]
STAGE_MODULES += ["presage.align.card", "presage.report.card", "presage.evaluate.sight"]
LINES = 400
CODE_FROM_DATA = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
# What runs text from outside, behind the locks of the sandbox, in a process of its own; see docs/sandbox.md.
SANDBOXED = "presage.tasks.sandbox.inside"
CALLS = {"eval", "exec", "torch.load", "yaml.load", "yaml.unsafe_load", "np.load", "numpy.load"}
RANKS = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}  # set by torchrun
RANKS |= {"TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_USE_AGENT_STORE"}


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def _layer(room: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room in rooms)


def test_every_room_has_a_layer() -> None:
    known = set().union(*LAYERS)
    assert {_room(module) for module in sources()} - {""} <= known


def test_a_file_imports_only_from_lower_layers_or_its_own_room() -> None:
    wrong = [
        f"{module} imports {target}"
        for module, targets in imports().items()
        for target in sorted(targets)
        if _room(target) not in ("", _room(module)) and not _may(_room(module), _room(target))
    ]
    assert wrong == []


def _may(room: str, target: str) -> bool:
    return target in READS_ONLY[room] if room in READS_ONLY else _layer(target) < _layer(room)


def test_no_import_cycles() -> None:
    order = list(graphlib.TopologicalSorter(imports()).static_order())  # raises CycleError naming the cycle
    assert set(order) >= set(sources())


def test_the_import_reader_sees_cycles_and_wrong_layers() -> None:
    """A ratchet that cannot slip: the checks above do find what they look for."""
    assert not _may("core", "data")
    assert not _may("train", "infer")
    assert not _may("report", "train")
    assert _may("cli", "recipes")
    assert "presage.core.errors" in imports()["presage.core.run"]
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()


def test_no_file_is_long() -> None:
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    long = {str(path.relative_to(ROOT)): count for path in files if (count := _lines(path)) > LINES}
    assert long == {}


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_data_is_never_run_as_code() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for module, (path, tree) in sources().items()
        for line, what in _unsafe(tree)
        if (module, what) != (SANDBOXED, "exec")
    ]
    assert wrong == []


def test_the_search_for_code_from_data_finds_each_form() -> None:
    for text in (
        "import pickle",
        "from pickle import load",
        "eval('1')",
        "torch.load(p)",
        "np.load(p, allow_pickle=True)",
    ):
        assert list(_unsafe(ast.parse(text))), text
    assert not list(_unsafe(ast.parse("model.eval(); np.load(p, allow_pickle=False); yaml.safe_load(t)")))


def _unsafe(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from ((node.lineno, name) for name in names if name.split(".")[0] in CODE_FROM_DATA)
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CALLS and "allow_pickle=False" not in ast.unparse(node):
                yield node.lineno, name


def test_settings_never_come_from_the_environment() -> None:
    wrong = [f"{path.relative_to(ROOT)}:{line}" for path, tree in sources().values() for line in _environment(tree)]
    assert wrong == []


def _environment(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        text = ast.unparse(node) if isinstance(node, ast.Call | ast.Subscript) else ""
        reads = text.startswith(("os.getenv(", "os.environ.get(", "os.environ["))
        written = isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load)
        if reads and not written and not any(f"'{name}'" in text for name in RANKS):
            yield node.lineno  # type: ignore[attr-defined]


def test_public_things_are_documented() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path, tree in sources().values()
        for node in _public(tree)
        if ast.get_docstring(node) is None
    ]
    assert wrong == []
    bare = [
        str(path.relative_to(ROOT)) for path, tree in sources().values() if tree.body and not ast.get_docstring(tree)
    ]
    assert bare == [], "a file begins by saying what it is"


Definition = ast.FunctionDef | ast.ClassDef
SAID_BY_CLASS = {"forward", "examine"}


def _public(tree: ast.Module) -> Iterator[Definition]:
    """Public functions and classes of a module; public methods but for short ones, `forward` and `examine`.

    What a module's `forward` and a method's `examine` do is said where their classes are.
    """
    for node in tree.body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        if node.name != "Config":  # of a stage: its fields are documented, `run` says what it makes
            yield node
        for inner in node.body if isinstance(node, ast.ClassDef) else []:
            long = (inner.end_lineno or inner.lineno) - inner.lineno > 3
            if (
                isinstance(inner, Definition)
                and not inner.name.startswith("_")
                and inner.name not in SAID_BY_CLASS
                and long
            ):
                yield inner


@pytest.mark.parametrize("name", STAGE_MODULES)
def test_a_stage_has_exactly_two_public_names(name: str) -> None:
    assert name in sources(), "a verb leads to a module that is not there"
    exported = [ast.literal_eval(node.value) for node in sources()[name][1].body if _assigns(node, "__all__")]
    assert [sorted(names) for names in exported] == [["Config", "run"]]


def _assigns(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['presage', '--help']\nfrom presage.cli import main\nmain()\n"
        "heavy = {'torch', 'numpy', 'scipy', 'pydantic', 'matplotlib', 'transformers', 'tokenizers'}\n"
        "print(sorted(heavy & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Usage: presage" in done.stdout
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("name", "program"), [("cli.md", ["-m", "presage", "reference"]), ("api.md", ["tools/api.py"])]
)
def test_generated_references_are_up_to_date(name: str, program: list[str]) -> None:
    text = subprocess.run([sys.executable, *program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, "run `make docs`"


def test_recipes_are_what_was_committed() -> None:
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.txt")}
    found = recipes()
    assert committed.keys() == found.keys(), "run `make golden` and look at the difference"
    for name, text in found.items():
        assert text == committed[name], f"{name}: run `make golden` and look at the difference"
