"""Print by how many bytes a process grows at most while it filters an image in memory.

    python growth.py ENGINE SIGMA HEIGHT WIDTH

Beyond the result: the image and the map are there before, and what is compiled is compiled.
"""

from __future__ import annotations

import sys
from pathlib import Path

from svfilter.bench import blur, check, intensity, limit_of, scene, tolerance_of


def main() -> None:
    """Filter, check, print."""
    engine, sigma = sys.argv[1], float(sys.argv[2])
    height, width = map(int, sys.argv[3:])
    image = scene(height, width)
    spread = intensity(image)
    spread *= sigma
    tolerance = tolerance_of(engine, spread)
    blur(image[:, :64, :64].copy(), spread[:64, :64].clip(sigma), engine, tolerance)  # compile
    before = _forget_peak()
    result = blur(image, spread, engine, tolerance)
    grown = _status("VmHWM") - before - result.nbytes
    check(image, spread, result, limit_of(engine, spread))
    print(grown)


def _forget_peak() -> int:
    """Let the peak begin anew, and give the resident size that it begins at."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(name))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main()
