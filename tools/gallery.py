"""Make the README's pictures by the commands that stand beside them.

    python tools/gallery.py [NAME ...]

NAME is kernels, maps or show; default all. Panels are what commands make of sample images, cut to
one size; those of maps.jpg have the map in a corner.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PANEL = (400, 266)
INSET = (120, 80)
ACROSS = 2
SCENE, COFFEE, CHELSEA = (f"sample_images/{name}.png" for name in ("scene", "coffee", "chelsea"))
DEPTH, MATTES = (f"sample_images/scene_{name}.png" for name in ("depth", "mattes"))
KERNELS = (
    f"lens {SCENE} OUT --depth {DEPTH} --focus 0.9 --aperture 24 --near black --occlusion --linear",
    f"lens {SCENE} OUT --depth {DEPTH} --focus 0.2 --aperture 20 --highlights 9 --blades 6",
    f"motion {COFFEE} OUT --spin 8",
    f"smooth {COFFEE} OUT --sigma-space 8 --sigma-range 0.15",
    f"sharpen {CHELSEA} OUT --sigma 2 --amount 3",
    f"blur {CHELSEA} OUT --sigma-x 10 --angle 60",
)
"""What makes the panels of the kernels, row by row."""
MAPS = {
    "tilt-shift: sharp in a band, as if all were small": f"blur {COFFEE} OUT --sigma 12 "
    '--sigma-map "linear(y=0.5, width=0.15, feather=0.5)"',
    "focus on a depth": f"lens {SCENE} OUT --depth {DEPTH} --focus 0.2 --aperture 20",
    "blur the background by a mask: all that is not a ball": f"lens {SCENE} OUT --radius 9 "
    f"--radius-map {MATTES}:r --invert",
    "sharpen only the edges": f"sharpen {CHELSEA} OUT --sigma 2 --amount 5 --amount-map edges "
    "--map-smooth 1 --map-range 0.02,0.15",
    "sigma from a channel of another file: the floor": f"blur {SCENE} OUT --sigma-map {MATTES}:g",
    "an expression of two maps: by depth, but not the balls": f"blur {SCENE} OUT --sigma 12 "
    f'--sigma-map "clip(3*abs(depth-0.4),0,1)*(1-balls)" --map depth={DEPTH} '
    f"--map balls={MATTES}:r",
}
"""What makes the panels of the maps, and what they show."""
SHOW = f"show motion {COFFEE} OUT --zoom 1.15 --centre 275,190"


def main() -> None:
    """Make the pictures."""
    makers = {"kernels": kernels, "maps": maps, "show": show}
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or makers:
            makers[name](Path(folder)).save(DOCS / f"{name}.jpg", quality=88)


def kernels(folder: Path) -> Image.Image:
    """Put the panels of the kernels together."""
    return sheet([panel(made(command, folder)) for command in KERNELS])


def maps(folder: Path) -> Image.Image:
    """Put the panels of the maps together, each with its map."""
    panels = []
    for command in MAPS.values():
        one = panel(made(command, folder))
        chart = panel(made(f"{command} --show-map --bit-depth 8", folder)).resize(INSET)
        corner = one.height - INSET[1] - 8
        one.paste((255, 255, 255), (7, corner - 1, 9 + INSET[0], corner + 1 + INSET[1]))
        one.paste(chart, (8, corner))
        panels.append(one)
    return sheet(panels)


def show(folder: Path) -> Image.Image:
    """Give the picture that explains a field."""
    return made(SHOW, folder)


def made(command: str, folder: Path) -> Image.Image:
    """Give what a command makes."""
    out = str(folder / "out.png")
    words = [out if word == "OUT" else word for word in shlex.split(command)]
    subprocess.run([sys.executable, "-m", "svfilter", *words], check=True, cwd=ROOT)
    with Image.open(out) as picture:
        return picture.convert("RGB")


def sheet(panels: list[Image.Image]) -> Image.Image:
    """Lay panels out in rows."""
    rows = -(-len(panels) // ACROSS)
    whole = Image.new("RGB", (ACROSS * PANEL[0], rows * PANEL[1]))
    for i, one in enumerate(panels):
        row, col = divmod(i, ACROSS)
        whole.paste(one, (col * PANEL[0], row * PANEL[1]))
    return whole


def panel(picture: Image.Image) -> Image.Image:
    """Give the middle of a picture at the size of a panel."""
    scale = max(PANEL[0] / picture.width, PANEL[1] / picture.height)
    size = round(picture.width * scale), round(picture.height * scale)
    left, top = (size[0] - PANEL[0]) // 2, (size[1] - PANEL[1]) // 2
    resized = picture.resize(size, Image.Resampling.LANCZOS)
    return resized.crop((left, top, left + PANEL[0], top + PANEL[1]))


if __name__ == "__main__":
    main()
