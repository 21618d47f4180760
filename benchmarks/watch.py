"""Run a command, and print its seconds and peak memory as JSON.

    python -S watch.py COMMAND ...

A process of its own, and a small one: the peak memory that a system counts for a child is
never below its parent's at the start. What the command prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time


def main() -> None:
    """Run, wait, report; end as the command ended."""
    command = sys.argv[1:]
    start = time.perf_counter()
    output_to_stderr = [(os.POSIX_SPAWN_DUP2, 2, 1)]
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=output_to_stderr)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - start
    unit = 1 if platform.system() == "Darwin" else 1024  # bytes there, KiB elsewhere
    cpu = usage.ru_utime + usage.ru_stime
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": usage.ru_maxrss * unit}))
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
