"""What svfilter is compared with: libraries in this process, programs as command lines."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from table import Missing

from svfilter import Gaussian
from svfilter.bench import cores, package_version

SIDE = 64
GEGL_ENVIRONMENT = {"GEGL_THREADS": str(cores()), "GEGL_CACHE_SIZE": "4096"}
"""As fast as GEGL can: all cores, and tiles in memory, where by default it swaps to disk."""


def opencv(image: np.ndarray, sigma: float) -> Callable[[], object]:
    """One Gaussian for all pixels, of the same reach; pixels lie as OpenCV wants them."""
    try:
        import cv2
    except ImportError as error:
        raise Missing("OpenCV is not installed") from error
    cv2.setNumThreads(cores())
    pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
    size = 2 * int(np.ceil(4 * sigma)) + 1
    return partial(cv2.GaussianBlur, pixels, (size, size), sigma)


def scipy(image: np.ndarray, sigma: float) -> Callable[[], object]:
    """One Gaussian for all pixels, channel after channel."""
    try:
        from scipy.ndimage import gaussian_filter
    except ImportError as error:
        raise Missing("SciPy is not installed") from error
    return lambda: [gaussian_filter(plane, sigma, mode="nearest") for plane in image]


def pillow(image: np.ndarray, sigma: float) -> Callable[[], object]:
    """Three boxes in place of one Gaussian for all pixels, in 8 bits."""
    pixels = Image.fromarray(np.rint(255 * image).astype(np.uint8).transpose(1, 2, 0))
    return partial(pixels.filter, ImageFilter.GaussianBlur(sigma))


def usual(image: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Filter [C, H, W] as the formula is usually written in torch, `replicate` at the border.

    `F.unfold` copies every neighbourhood into a column matrix, and the weighted columns are
    summed; in tiles of 64 x 64 pixels, the fastest size we found.
    """
    channels, height, width = image.shape
    reach = Gaussian(sigma=sigma).radius()
    size = 2 * reach + 1
    padded = F.pad(image[None], (reach,) * 4, mode="replicate")
    taps = torch.arange(-reach, reach + 1, dtype=image.dtype)
    out = torch.empty_like(image)
    for top in range(0, height, SIDE):
        for left in range(0, width, SIDE):
            own = sigma[top : top + SIDE, left : left + SIDE]
            h, w = own.shape
            weights = Gaussian(sigma=own).weights(
                taps.reshape(-1, 1, 1, 1), taps.reshape(1, -1, 1, 1)
            )
            columns = F.unfold(
                padded[..., top : top + h + 2 * reach, left : left + w + 2 * reach], size
            )
            products = columns.reshape(channels, size * size, h * w) * weights.reshape(1, -1, h * w)
            out[:, top : top + h, left : left + w] = products.sum(1).reshape(channels, h, w)
    return out


def imagemagick(photo: Path, levels: Path, out: Path, sigma: int) -> list[str]:
    """Blur by a map: an elliptical weighted average at every pixel."""
    files = [str(photo), str(levels)]
    options = ["-define", f"compose:args={sigma}x{sigma}", "-compose", "Blur", "-composite"]
    return [_program("magick", "convert"), *files, *options, str(out)]


def gegl(photo: Path, levels: Path, out: Path, sigma: int, *, high_quality: bool) -> list[str]:
    """Blur by a map: uniform blurs, blended from one to the next. 8 bits are written."""
    blur = ["gegl:variable-blur", f"radius={sigma}", f"high-quality={str(high_quality).lower()}"]
    aux = ["aux=[", "gegl:load", f"path={levels}", "]"]
    save = ["gegl:png-save", f"path={out}", "bitdepth=8"]
    # Without -o it would open a window; the file that counts is the one of png-save.
    unused = str(out.with_name("unused.png"))
    return [_program("gegl"), str(photo), "-o", unused, "--", *blur, *aux, *save]


def ffmpeg(photo: Path, levels: Path, out: Path, sigma: int) -> list[str]:
    """Blur by a map: boxes, not Gaussians."""
    planes = "[0:v]format=gbrp[a];[1:v]format=gbrp[b];"
    blur = f"[a][b]varblur=min_r=0:max_r={sigma}"
    files = ["-i", str(photo), "-i", str(levels), "-filter_complex", planes + blur]
    return [_program("ffmpeg"), "-v", "error", "-y", *files, "-frames:v", "1", str(out)]


def imagemagick_copy(photo: Path, out: Path) -> list[str]:
    """Decode and encode."""
    return [_program("magick", "convert"), str(photo), str(out)]


def vips_copy(photo: Path, out: Path) -> list[str]:
    """Decode and encode."""
    return [_program("vips"), "copy", str(photo), str(out)]


def to_linear(encoded: np.ndarray) -> np.ndarray:
    """Decode sRGB values, as GEGL does before it blurs."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def to_encoded(linear: np.ndarray) -> np.ndarray:
    """Encode linear light as sRGB."""
    power = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, power)


def versions() -> str:
    """Name the peers with their versions."""
    packages = {"OpenCV": "opencv-python-headless", "SciPy": "scipy", "Pillow": "pillow"}
    told = [f"{name} {package_version(package)}" for name, package in packages.items()]
    imagemagick = _first_line([shutil.which("magick") or "convert", "--version"])
    told.append(" ".join(imagemagick.removeprefix("Version: ").split()[:2]))
    told.append(f"GEGL {_first_line(['dpkg-query', '-W', '-f', '${Version}', 'gegl'])}")
    told.append(" ".join(_first_line(["ffmpeg", "-version"]).replace("version ", "").split()[:2]))
    told.append(" ".join(_first_line(["vips", "--version"]).replace("-", " ").split()[:2]))
    return ", ".join(told)


def _program(*names: str) -> str:
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise Missing(f"{names[-1]} is not installed")
    return Path(found).name


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "-"
