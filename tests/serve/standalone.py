"""The small model behind a real server in a process of its own: `python -m tests.serve.standalone '{"grace": 2}'`."""

from __future__ import annotations

import json
import sys

from presage.core.errors import Stopped
from presage.serve.house import Settings
from presage.serve.server import bound, serve
from tests.serve.house import house


def main() -> int:
    settings = Settings.parse({"port": 0} | json.loads(sys.argv[1]))
    listening = bound(settings)
    print(listening.getsockname()[1], flush=True)
    with house(settings=settings.model_dump()) as one:
        try:
            serve(one, listening)
        except Stopped:
            return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
