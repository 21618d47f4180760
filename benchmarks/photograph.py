"""Time and peak memory of the command line on a 12-megapixel photograph.

    python benchmarks/photograph.py

A sample picture is enlarged to 4000 x 3000 pixels and given fine grain, as a camera would, so
that neither the PNG nor the map is smoother than a photograph's. Each run is a whole process;
its memory is the operating system's own count of the largest resident size.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLE = Path(__file__).parent.parent / "sample_images" / "coffee.png"
RUNS = {
    "blur --sigma-map --sigma 4": ["--sigma-map", "--sigma", "4"],
    "blur --sigma 1": ["--sigma", "1"],
    "blur --sigma 0": ["--sigma", "0"],
}


def make_photograph(path: Path, width: int, height: int) -> None:
    """Write an enlarged sample with grain of two steps of 8 bits."""
    sample = Image.open(SAMPLE).resize((width, height), Image.Resampling.LANCZOS)
    grain = np.random.default_rng(0).normal(0, 2, (height, width, 3))
    pixels = np.rint(np.clip(np.asarray(sample) + grain, 0, 255)).astype(np.uint8)
    Image.fromarray(pixels).save(path)


def measure(command: list[str]) -> tuple[float, float]:
    """Run a command; give its wall time in seconds and its peak memory in megabytes."""
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    unit = 1 if platform.system() == "Darwin" else 1024  # bytes there, KiB elsewhere
    return time.perf_counter() - start, usage.ru_maxrss * unit / 1e6


def main() -> None:
    """Print a table, a row for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    size = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo, out = Path(folder) / "photo.png", Path(folder) / "out.png"
        # In a process of its own: a child's peak memory is never below its parent's.
        maker = get_context("spawn").Process(
            target=make_photograph, args=(photo, size.width, size.height)
        )
        maker.start()
        maker.join()
        print(f"{size.width} x {size.height} RGB PNG, {os.cpu_count()} processors")
        print(f"{'command':<30}{'seconds':>9}{'peak MB':>9}")
        for name, options in RUNS.items():
            command = [sys.executable, "-m", "svfilter", "blur", str(photo), str(out), *options]
            seconds, megabytes = measure(command)
            print(f"{name:<30}{seconds:>9.1f}{megabytes:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
