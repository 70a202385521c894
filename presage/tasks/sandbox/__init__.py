"""Untrusted programs, run apart from the tests that judge them and from the rest of the machine (docs/sandbox.md).

with Sandbox.open() as sandbox:
    verdicts = sandbox.check([Program("1", "def f(x): return x + 1", ("f",), "assert f(1) == 2")])
"""

from presage.tasks.sandbox.program import Program, Verdict
from presage.tasks.sandbox.sandbox import Sandbox

__all__ = ["Program", "Sandbox", "Verdict"]
