"""Where the program starts: `svfilter`, or `python -m svfilter`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; an interrupt counts from the first import on."""
    # NumPy's OpenBLAS starts threads that would spin for a tenth of a second, waiting for work.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    try:
        from svfilter.cli import cli

        cli()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
