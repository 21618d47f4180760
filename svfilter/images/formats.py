"""What each file format can hold: the one table of what can be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svfilter.images.layout import Alpha, Colour, Layout

_BYTES = ("u1",)
_WORDS = ("u1", "u2")
_FLOATS = ("f2", "f4")
_ALL = ("u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8")


@dataclass(frozen=True)
class Format:
    """What a file format can hold."""

    suffixes: tuple[str, ...]
    encoder: str
    """In images.encoders: module.Class."""
    depths: tuple[str, ...]
    """NumPy's names of what a channel can be."""
    colours: tuple[Colour, ...] = ("grey", "rgb")
    alphas: tuple[Alpha, ...] = ("", "straight")
    carries: tuple[str, ...] = ()
    """Of the fields of Metadata."""
    qualities: bool = False
    """Whether it is lossy, by a quality of 1 to 100."""
    compressions: tuple[str, ...] = ()
    """Names of what --compression can choose."""
    paged: bool = False
    """Whether a file can hold more than one image."""
    folder: bool = False
    """Whether it is a folder of files; its encoder is given the folder's name."""

    @property
    def pixels(self) -> str:
        """What it holds, in words."""
        kinds = {"u": "", "i": " signed", "f": " float"}
        bits: dict[str, list[str]] = {}
        for depth in self.depths:
            bits.setdefault(kinds[depth[0]], []).append(str(8 * int(depth[1])))
        words = [f"{'/'.join(numbers)}-bit{kind}" for kind, numbers in bits.items()]
        names = {"grey": "grey", "rgb": "RGB", "cmyk": "CMYK", "bands": "any number of bands"}
        alphas = [f"{alpha} alpha" for alpha in self.alphas if alpha]
        colours = [names[colour] for colour in self.colours]
        with_alpha = f", {' or '.join(alphas)}" if alphas else ""
        return f"{', '.join(words)}: {', '.join(colours)}{with_alpha}"

    def holds(self, layout: Layout) -> bool:
        """Tell whether pixels can be written as they are."""
        return (
            not (layout.colour == "bands" and layout.alpha)
            and layout.dtype.str[1:] in self.depths
            and layout.colour in self.colours
            and layout.alpha in self.alphas
        )


_DIGITS = tuple(str(level) for level in range(10))
_PICTURE = ("icc_profile", "exif", "xmp")
_ALL_ABOUT = (*_PICTURE, "iptc", "photoshop", "dpi")

FORMATS = {
    "png": Format(
        (".png",),
        "png.PngEncoder",
        _WORDS,
        carries=(*_ALL_ABOUT, "comments"),
        compressions=_DIGITS,
    ),
    "jpeg": Format(
        (".jpg", ".jpeg"),
        "jpeg.JpegEncoder",
        _BYTES,
        ("grey", "rgb", "cmyk"),
        ("",),
        carries=(*_ALL_ABOUT, "comments"),
        qualities=True,
    ),
    "tiff": Format(
        (".tif", ".tiff"),
        "tiff.TiffEncoder",
        _ALL,
        ("grey", "rgb", "cmyk", "bands"),
        ("", "straight", "associated"),
        carries=_ALL_ABOUT,
        compressions=("none", "lzw", "deflate", "zstd", "packbits"),
        paged=True,
    ),
    "webp": Format((".webp",), "whole.WebpEncoder", _BYTES, carries=_PICTURE, qualities=True),
    "avif": Format((".avif",), "whole.AvifEncoder", _BYTES, carries=_PICTURE, qualities=True),
    "heic": Format((".heic",), "whole.HeicEncoder", _BYTES, carries=_PICTURE, qualities=True),
    "exr": Format(
        (".exr",),
        "exr.ExrEncoder",
        _FLOATS,
        ("grey", "rgb", "bands"),
        ("", "associated"),
        compressions=("none", "zips", "zip"),
    ),
    "bmp": Format((".bmp",), "whole.BmpEncoder", _BYTES, alphas=("",), carries=("dpi",)),
    "ppm": Format(
        (".ppm", ".pgm", ".pnm"), "netpbm.PnmEncoder", _WORDS, alphas=("",), carries=("comments",)
    ),
    "pam": Format(
        (".pam",), "netpbm.PamEncoder", _WORDS, ("grey", "rgb", "bands"), carries=("comments",)
    ),
    "pfm": Format((".pfm",), "netpbm.PfmEncoder", ("f4",), alphas=("",)),
    "npy": Format((".npy",), "npy.NpyEncoder", _ALL, ("grey", "rgb", "bands")),
    "zarr": Format(
        (".zarr",),
        "zarr.ZarrEncoder",
        _ALL,
        ("grey", "rgb", "bands"),
        ("",),
        paged=True,
        folder=True,
    ),
}
"""Every format that can be written, by the name that --format takes."""

WORDS = {
    "icc_profile": "colour profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "iptc": "IPTC",
    "photoshop": "Photoshop's resources",
    "dpi": "resolution",
    "comments": "comments",
}
"""What a user calls the parts of the metadata."""
