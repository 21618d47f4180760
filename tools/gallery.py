"""Make the picture of the kernels in the README by the commands that stand beside it.

    python tools/gallery.py

Each panel is what one command makes of a sample image, cut to the same size.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "kernels.jpg"
PANEL = (400, 266)
ACROSS = 2
SCENE, COFFEE, CHELSEA = (f"sample_images/{name}.png" for name in ("scene", "coffee", "chelsea"))
DEPTH = "--depth sample_images/scene_depth.png"
COMMANDS = (
    f"lens {SCENE} OUT {DEPTH} --focus 0.9 --aperture 24 --near black --occlusion --linear",
    f"lens {SCENE} OUT {DEPTH} --focus 0.2 --aperture 20 --highlights 9 --blades 6",
    f"motion {COFFEE} OUT --spin 8",
    f"smooth {COFFEE} OUT --sigma-space 8 --sigma-range 0.15",
    f"sharpen {CHELSEA} OUT --sigma 2 --amount 3",
    f"blur {CHELSEA} OUT --sigma-x 10 --angle 60",
)
"""What makes the panels, row by row."""


def main() -> None:
    """Make the panels, and put them together."""
    rows = -(-len(COMMANDS) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * PANEL[0], rows * PANEL[1]))
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder, "out.png"))
        for i, command in enumerate(COMMANDS):
            words = [out if word == "OUT" else word for word in shlex.split(command)]
            subprocess.run([sys.executable, "-m", "svfilter", *words], check=True, cwd=ROOT)
            row, col = divmod(i, ACROSS)
            sheet.paste(panel(Image.open(out)), (col * PANEL[0], row * PANEL[1]))
    sheet.save(PICTURE, quality=88)


def panel(picture: Image.Image) -> Image.Image:
    """Give the middle of a picture at the size of a panel."""
    scale = max(PANEL[0] / picture.width, PANEL[1] / picture.height)
    size = round(picture.width * scale), round(picture.height * scale)
    left, top = (size[0] - PANEL[0]) // 2, (size[1] - PANEL[1]) // 2
    resized = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    return resized.crop((left, top, left + PANEL[0], top + PANEL[1]))


if __name__ == "__main__":
    main()
