"""Rows on files: memory for large ones, and what filtering adds to decoding and encoding."""

from __future__ import annotations

import io
import statistics
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import peers
from pictures import files, pixels
from PIL import Image
from processes import HERE, Cost, Measure, ours, watch
from table import Figure, Row, Setting, at_least, at_most, in_turn

from svfilter.bench import Red
from svfilter.images.encoders.png import PngEncoder
from svfilter.images.layout import Layout
from svfilter.images.metadata import Metadata
from svfilter.images.reading import open_image

SIGMA = 8


def _made(setting: Setting, suffix: str, side: int, depth: str) -> Path:
    """Make a large file in a process of its own."""
    height, width = setting.size(side, side)
    path = setting.folder / f"large_{height}_{depth}{suffix}"
    if not path.exists():
        words = [str(path), str(height), str(width), depth]
        watch([sys.executable, str(HERE / "large.py"), *words])
    return path


def peak(setting: Setting, *, suffix: str, side: int, depth: str, memory: str) -> Iterator[Figure]:
    """Measure the peak of a process that blurs a large file, and that the result is whole."""
    photo = _made(setting, suffix, side, depth)
    out = photo.with_name(f"out{suffix}")
    cost = watch([*ours(photo, out, SIGMA), "--memory", memory])
    with open_image(str(photo)) as before, open_image(str(out)) as after:
        if before.layout != after.layout:
            raise Red(f"RED: {after.layout} is not {before.layout}")
    figure = (
        f"{cost.peak / 1e6:.0f} MB ({cost.wall:.0f} s, file of {photo.stat().st_size / 1e6:.0f} MB)"
    )
    photo.unlink()
    out.unlink()
    yield Figure(figure, cost.peak / 1e6)


def _twelve_megapixels(setting: Setting, suffix: str) -> Path:
    """Give a photograph of 12 MP as PNG, JPEG or LZW-compressed TIFF."""
    photo, _ = files(setting.folder, *setting.size(3000, 4000))
    path = photo.with_suffix(suffix)
    if not path.exists():
        options = {".jpg": {"quality": 90}, ".tif": {"compression": "tiff_lzw"}}[suffix]
        with Image.open(photo) as image:
            image.save(path, **options)
    return path


def whole_run(setting: Setting, *, suffix: str, sigma: float) -> Iterator[Figure]:
    """Compare a whole run with decoding and encoding alone, and with two programs that copy."""
    photo = _twelve_megapixels(setting, suffix)
    out = photo.with_name(f"out{suffix}")
    mine = ours(photo, out, sigma)
    least = [sys.executable, str(HERE / "transcode.py"), str(photo), str(out)]
    for command in (mine, least):
        watch(command)
    pairs = [(watch(mine), watch(least)) for _ in range(setting.rounds(7))]
    ratio = statistics.median(a.wall / b.wall for a, b in pairs)
    copies = {
        "vips copy": peers.vips_copy(photo, out),
        "ImageMagick's copy": peers.imagemagick_copy(photo, out),
    }
    others = [f"{name} {_wall([watch(c) for _ in range(3)])}" for name, c in copies.items()]
    told = f"{_wall([a for a, _ in pairs])} against {_wall([b for _, b in pairs])}"
    yield Figure(f"{ratio:.2f} ({told}, rounds: {len(pairs)}; {', '.join(others)})", ratio)


def _wall(costs: list[Cost]) -> str:
    return f"{statistics.median(cost.wall for cost in costs):.3g} s"


def _encode(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    encoder = PngEncoder(file, jobs=2)
    height, width, channels = values.shape
    encoder.begin(Layout(height, width, channels, values.dtype, "rgb"), Metadata(), {})
    encoder.write(values)
    encoder.end()
    encoder.close()
    return file.getvalue()


def _pillow(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def _pictures(setting: Setting) -> Iterator[tuple[str, np.ndarray]]:
    """Give a photograph, and what a blur makes of it."""
    photo, _ = files(setting.folder, *setting.size(3000, 4000))
    yield "photograph", pixels(*setting.size(3000, 4000))
    out = photo.with_name("blurred.png")
    watch(ours(photo, out, SIGMA))
    yield "blurred", np.asarray(Image.open(out))


def png_speed(setting: Setting) -> Iterator[Figure]:
    """Compare encoding in memory with Pillow's default."""
    for name, values in _pictures(setting):
        pairs = in_turn(partial(_pillow, values), partial(_encode, values), setting.rounds(3))
        yield Figure(f"{name} {pairs.ratio:.1f}x ({pairs})", pairs.ratio)


def png_size(setting: Setting) -> Iterator[Figure]:
    """Compare sizes with Pillow's default."""
    for name, values in _pictures(setting):
        ratio = len(_encode(values)) / len(_pillow(values))
        yield Figure(f"{name} {ratio:.3f}", ratio)


def _peak_row(kind: str, suffix: str, *, side: int = 20000, depth: str = "u1", most: int) -> Row:
    memory = f"{most}000K"
    measure: Measure = partial(peak, suffix=suffix, side=side, depth=depth, memory=memory)
    bits = {"u1": 8, "u2": 16}[depth]
    what = f"peak memory, {side} x {side} RGB of {bits} bits, {kind}, `--memory {memory}`"
    return Row(what, at_most(most, None, "{:g} MB"), measure)


ROWS = [
    _peak_row("TIFF", ".tif", most=512),
    _peak_row("PNG", ".png", most=512),
    _peak_row("JPEG", ".jpg", most=512),
    _peak_row("TIFF", ".tif", side=40000, depth="u2", most=1000),
    *(
        Row(
            f"`blur --sigma-map --sigma {SIGMA}`, 12 MP {kind}: time by that of decoding and "
            "encoding alone",
            at_most(1.25, 1.0),
            partial(whole_run, suffix=suffix, sigma=SIGMA),
        )
        for kind, suffix in (("PNG", ".png"), ("JPEG", ".jpg"), ("TIFF", ".tif"))
    ),
    Row("PNG, 12 MP: times faster encoded than by Pillow", at_least(10, None, "{:g}x"), png_speed),
    Row("PNG, 12 MP: size by that of Pillow's", at_most(1.02, None), png_size),
]
