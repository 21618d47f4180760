"""Make a large photograph-like file, in little memory.

    python large.py OUT.png HEIGHT WIDTH [u1|u2]

A sample picture, enlarged to 3000 x 4000 and repeated, with a grain that is another everywhere: so
it does not compress better than a photograph.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from pictures import pixels

from svfilter.images.formats import FORMATS
from svfilter.images.layout import Layout
from svfilter.images.metadata import Metadata
from svfilter.images.writing import encoder_of

ROWS = 256


def write(path: Path, height: int, width: int, depth: str = "u1") -> None:
    """Write an RGB file of the format that its suffix tells."""
    name = next(name for name, holds in FORMATS.items() if path.suffix in holds.suffixes)
    layout = Layout(height, width, 3, np.dtype(depth), "rgb")
    sample = pixels(min(height, 3000), min(width, 4000))
    rng = np.random.default_rng(0)
    with path.open("w+b") as file:
        encoder = encoder_of(name)(file, jobs=2)
        # 10 GB would take minutes to compress.
        encoder.begin(layout, Metadata(), {"compression": "none"} if depth == "u2" else {})
        for top in range(0, height, ROWS):
            rows = np.arange(top, min(top + ROWS, height))
            cols = np.arange(width) % sample.shape[1]
            band = sample[rows % sample.shape[0]][:, cols].astype(depth)
            grain = 4 if depth == "u1" else 1024
            band = np.minimum(band, 251) * np.array(grain // 4, depth)
            encoder.write(band + rng.integers(0, grain, band.shape, dtype=depth))
        encoder.end()
        encoder.close()


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
