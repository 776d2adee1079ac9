"""`python -m bench`."""

import sys

from bench.interrupts import interrupted

if __name__ == "__main__":
    try:
        from bench.cli import main

        main()
    except KeyboardInterrupt:  # while modules are imported
        sys.exit(interrupted())
