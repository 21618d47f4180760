"""Decode an image and encode it again, one after the other: the least that a filter must do.

python transcode.py IN OUT
"""

from __future__ import annotations

import sys

from svfilter.images.reading import open_image
from svfilter.images.storing import Output
from svfilter.images.writing import create_image


def main(source: str, target: str) -> None:
    """Decode all, then encode all, with the libraries and the threads that `svfilter` uses."""
    with open_image(source, jobs=2) as image:
        pixels = image.stored(image.whole)
        with create_image(target, image, inputs=[source], output=Output(), jobs=2) as writer:
            writer.begin(image)
            writer.write_stored(image.whole, pixels)
            writer.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
