"""What svfilter is compared with: libraries in this process, programs as command lines."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

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
    """One Gaussian for all pixels, of the same reach."""
    size = 2 * int(np.ceil(4 * sigma)) + 1
    return partial(_opencv().GaussianBlur, _pixels(image), (size, size), sigma)


def opencv_filter(image: np.ndarray, kernel: np.ndarray) -> Callable[[], np.ndarray]:
    """One kernel for all pixels; beyond 11 x 11 taps OpenCV goes by Fourier transforms."""
    cv2 = _opencv()
    border = {"borderType": cv2.BORDER_REPLICATE}
    return partial(cv2.filter2D, _pixels(image), -1, kernel.astype(np.float32), **border)


def opencv_bilateral(
    image: np.ndarray, *, reach: int, sigma_space: float, sigma_range: float
) -> Callable[[], object]:
    """One bilateral filter: a round window, and the sum of the colours' absolute differences."""
    cv2 = _opencv()
    sigmas = {"sigmaColor": sigma_range, "sigmaSpace": sigma_space}
    border = {"borderType": cv2.BORDER_REPLICATE}
    return partial(cv2.bilateralFilter, _pixels(image), 2 * reach + 1, **sigmas, **border)


def opencv_sharpen(image: np.ndarray, *, sigma: float, amount: float) -> Callable[[], object]:
    """An unsharp mask for all pixels."""
    blurred, pixels, add = opencv(image, sigma), _pixels(image), _opencv().addWeighted
    return lambda: add(pixels, 1 + amount, blurred(), -amount, 0)


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
    reach = Gaussian(sigma=sigma).reach()
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
    quality = f"high-quality={str(high_quality).lower()}"
    return _gegl(photo, levels, out, ["gegl:variable-blur", f"radius={sigma}", quality])


def imagemagick_ellipses(photo: Path, colours: Path, out: Path, *, x: int, y: int) -> list[str]:
    """Blur by ellipses: red of a map gives the width, green the height, blue 0 to 180 degrees."""
    options = ["-define", f"compose:args={x}x{y}+0+180", "-compose", "Blur", "-composite"]
    return [_program("magick", "convert"), str(photo), str(colours), *options, str(out)]


def gegl_lens(photo: Path, levels: Path, out: Path, radius: int) -> list[str]:
    """Blur by disks whose radii a map gives, in linear light. 8 bits are written."""
    return _gegl(photo, levels, out, ["gegl:lens-blur", f"radius={radius}"])


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


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise Missing("OpenCV is not installed") from error
    cv2.setNumThreads(cores())
    return cv2


def _pixels(image: np.ndarray) -> np.ndarray:
    """Give [C, H, W] as OpenCV wants it, [H, W, C]."""
    return np.ascontiguousarray(image.transpose(1, 2, 0))


def _gegl(photo: Path, levels: Path, out: Path, operation: list[str]) -> list[str]:
    aux = ["aux=[", "gegl:load", f"path={levels}", "]"]
    save = ["gegl:png-save", f"path={out}", "bitdepth=8"]
    # Without -o it would open a window; the file that counts is the one of png-save.
    unused = str(out.with_name("unused.png"))
    return [_program("gegl"), str(photo), "-o", unused, "--", *operation, *aux, *save]


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
