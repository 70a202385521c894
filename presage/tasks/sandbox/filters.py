"""The system calls that a program inside may make, as a seccomp filter.

Everything that is not named here does not exist in there (ENOSYS, for which C libraries have a way around): no process
or thread, no socket, no signal to anybody, no change to a file's name, owner, mode or time, no namespace, no mount. A
call of another architecture ends the process. Some names are let through for certain arguments only: fcntl, which could
have a signal sent to another process, ioctl, which could write to a terminal, and open and openat, which could empty a
file that may be read, as no Landlock before Linux 6.2 forbids.
"""

from __future__ import annotations

import errno
import importlib
import os
import tempfile

from presage.core.errors import Unavailable

# Reading and writing what is open, opening (where the file locks allow it), looking.
_FILES = """read write readv writev pread64 pwrite64 lseek close close_range stat lstat fstat newfstatat
fstatat64 statx access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd chdir dup dup2 dup3 pipe
pipe2 poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2 umask"""
_MEMORY = "brk mmap mprotect munmap mremap madvise"
_TIME = "nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times alarm setitimer getitimer pause"
_SELF = """rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack getpid
gettid getppid getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp getpgid getsid uname sysinfo
getrusage getrlimit getrandom futex set_robust_list rseq sched_yield sched_getaffinity getcpu restart_syscall exit
exit_group"""
ALLOWED = tuple(f"{_FILES} {_MEMORY} {_TIME} {_SELF}".split())
"""Names of Linux; those that an architecture does not have are left out there."""

# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC; TCGETS, FIOCLEX, FIONCLEX. prlimit64 of itself alone.
ARGUMENTS = {"fcntl": (1, (0, 1, 2, 3, 4, 1030)), "ioctl": (1, (0x5401, 0x5451, 0x5450)), "prlimit64": (0, (0,))}
"""{name: (which argument, the values that it may have)}."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
"""Flags of which none may be given: what is opened is there, and only read. O_TMPFILE needs one of them."""
OPENING = {"open": 1, "openat": 2}
"""{name: which argument the flags are}; openat2, whose flags lie in memory where no filter looks, does not exist."""


def seccomp_filter() -> bytes:
    """The filter as BPF instructions of this machine. Raises Unavailable without pyseccomp or libseccomp."""
    try:
        seccomp = importlib.import_module("pyseccomp")
    except (ImportError, OSError, RuntimeError) as error:
        hint = "pip install pyseccomp, and the system's libseccomp2"
        raise Unavailable(f"seccomp filters cannot be made: {error}", where="seccomp", hint=hint) from None
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))
    for name in filter(lambda name: _known(seccomp, name), ALLOWED):
        rules.add_rule(seccomp.ALLOW, name)
    for name, (place, values) in ARGUMENTS.items():
        for value in values:
            rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(place, seccomp.EQ, value))
    for name in filter(lambda name: _known(seccomp, name), OPENING):
        rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(OPENING[name], seccomp.MASKED_EQ, WRITING, 0))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _known(seccomp: object, name: str) -> bool:
    """Whether this architecture has a system call of this name; libseccomp gives others numbers below zero."""
    try:
        return int(seccomp.resolve_syscall(seccomp.system_arch(), name)) >= 0  # type: ignore[attr-defined]
    except (ValueError, OSError):
        return False
