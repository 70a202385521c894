"""`presage-lm-eval`: lm_eval's own command line, which knows `--model presage` whatever its version."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from presage.core.errors import PresageError


def main() -> None:
    """Run `lm_eval` with our model registered. A mistake that a person can mend is one line and its exit code."""
    if find_spec("lm_eval") is None:
        sys.exit(_complain("lm-evaluation-harness is not installed (pip install 'presage[lm-eval]')", 2))
    from lm_eval.__main__ import cli_evaluate

    import presage.infer.harness  # noqa: F401  # registers

    try:
        cli_evaluate()
    except PresageError as error:
        sys.exit(_complain(str(error), error.exit_code))


def _complain(text: str, code: int) -> int:
    print(f"presage-lm-eval: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
