"""Where the program starts: `svfilter`, or `python -m svfilter`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; an interrupt counts from the first import on."""
    # Threads that wait for each other shall sleep: spinning, they starve each other wherever
    # the processors are shared. Read by OpenMP when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from svfilter.cli import cli

        cli()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
