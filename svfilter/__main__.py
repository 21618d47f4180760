"""Where the program starts: `svfilter`, or `python -m svfilter`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; an interrupt counts from the first import on."""
    try:
        from svfilter.cli import cli

        cli()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
