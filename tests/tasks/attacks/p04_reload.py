# ruff: noqa
"""Load os anew, as if its functions had been taken away."""

import importlib
import os


def attack(world):
    fresh = importlib.reload(os)
    attempt("system", lambda: fresh.system(f"touch {world['folder']}/ran") == 0 or fresh.kill(world["victim"], 9))
    fresh.unlink(world["canary"])
    return came_off("unlink")
