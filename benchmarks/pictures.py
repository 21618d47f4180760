"""Photographs of any size: a sample picture, enlarged, with grain."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLE = Path(__file__).parent.parent / "sample_images" / "coffee.png"


def pixels(height: int, width: int) -> np.ndarray:
    """Give [H, W, 3] in 8 bits, with grain of two steps, so that nothing is too smooth."""
    sample = Image.open(SAMPLE).resize((width, height), Image.Resampling.LANCZOS)
    grain = np.random.default_rng(0).normal(0, 2, (height, width, 3)).astype(np.float32)
    return np.rint(np.clip(np.asarray(sample) + grain, 0, 255)).astype(np.uint8)


@cache
def photograph(height: int, width: int) -> np.ndarray:
    """Give the same as [3, H, W] float32 in 0 to 1."""
    planes = pixels(height, width).transpose(2, 0, 1)
    return np.ascontiguousarray(planes, dtype=np.float32) / np.float32(255)


def files(folder: Path, height: int, width: int) -> tuple[Path, Path]:
    """Write a photograph and its grey luma, a map for those who want one, as PNG."""
    photo, levels = (folder / f"{name}_{height}x{width}.png" for name in ("photo", "map"))
    if not photo.exists():
        image = Image.fromarray(pixels(height, width))
        image.save(photo)
        image.convert("L").save(levels)
    return photo, levels
