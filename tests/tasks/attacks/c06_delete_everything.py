# ruff: noqa
"""Delete, rename and empty what lies in the host's folder."""

import os
import shutil


def attack(world):
    attempt("unlink", os.unlink, world["canary"])
    attempt("rename", os.rename, world["canary"], world["canary"] + "2")
    attempt("truncate", os.truncate, world["canary"], 0)
    attempt("chmod", os.chmod, world["canary"], 0)
    attempt("chown", os.chown, world["canary"], os.getuid(), os.getgid())
    attempt("utime", os.utime, world["canary"], (0, 0))
    attempt("rmtree", shutil.rmtree, world["folder"])
    attempt("rmdir", os.rmdir, world["folder"])
    return came_off()
