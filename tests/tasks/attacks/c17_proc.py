# ruff: noqa
"""Read other processes through /proc, and write to it."""

import os


def attack(world):
    for pid in ("1", "self", "thread-self", str(world["parent"]), str(world["victim"])):
        for name in ("mem", "maps", "cmdline", "environ", "status"):
            attempt(f"{pid}/{name}", lambda path=f"/proc/{pid}/{name}": open(path, "rb").read(16))
        for name in ("root", "cwd", "fd"):
            attempt(f"{pid}/{name}", lambda path=f"/proc/{pid}/{name}": os.listdir(path))
        attempt(f"{pid}/oom_score_adj", lambda pid=pid: open(f"/proc/{pid}/oom_score_adj", "w").close())
    attempt("sys", lambda: open("/proc/sys/kernel/hostname", "w").close())
    return came_off()
