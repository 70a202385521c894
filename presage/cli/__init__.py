"""The command line: one grammar, verbs to stages by table, everything heavy imported only when its verb runs.

Standard output carries results (for pipes); progress, notes and errors go to standard error. Exit codes: 0 done;
1 a check or verification failed; 2 bad input; 3 an isolation or hardware requirement is missing; 4 stopped by a signal,
resumable; 70 an internal error.
"""

from presage.cli.entry import main
from presage.cli.stages import STAGES

__all__ = ["STAGES", "main"]
