"""`python -m presage`: the command line, from a source tree without installation."""

import sys

from presage.cli import main

sys.exit(main())
