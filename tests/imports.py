"""Which module of presage imports which, read from the sources without running them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "presage"


@cache
def sources() -> dict[str, tuple[Path, ast.Module]]:
    """{dotted module: (file, syntax tree)} of the whole package."""
    return {
        _dotted(path): (path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def imports() -> dict[str, set[str]]:
    """{module: modules of presage that it imports}, imports inside functions included."""
    return {module: set(_imported(module, tree)) for module, (_, tree) in sources().items()}


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(module: str, tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            assert node.module is not None
            found |= {_target(node.module, alias.name) for alias in node.names}
    return {name for name in found if name.split(".")[0] == "presage"} - {module}


def _target(module: str, name: str) -> str:
    """`from a.b import c` imports the module a.b.c if there is one, else a.b."""
    inner = f"{module}.{name}"
    return inner if inner in sources() else module
