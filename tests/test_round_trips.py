"""Every format, colour, alpha and depth that the table claims: in, sigma 0, and out the same."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from arrays import reader
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from svfilter import Gaussian
from svfilter.images.formats import FORMATS
from svfilter.images.layout import COLOURS, Layout
from svfilter.images.reading import open_image
from svfilter.images.storing import Output
from svfilter.images.writing import create_image
from svfilter.maps import Ramp
from svfilter.pipeline import filter_file

H, W = 21, 34
SHARP = [Ramp("sigma", high=0)]
EXIFTOOL = shutil.which("exiftool")
needs_exiftool = pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")


def claims() -> Iterator[tuple[str, Layout]]:
    """Give every format with every kind of pixels that it claims to hold."""
    for name, holds in FORMATS.items():
        for depth in holds.depths:
            for colour in holds.colours:
                for alpha in holds.alphas:
                    channels = COLOURS.get(colour, 6) + bool(alpha)
                    layout = Layout(H, W, channels, np.dtype(depth), colour, alpha)
                    if holds.holds(layout):
                        yield name, layout


def pixels_of(layout: Layout) -> np.ndarray:
    """Give pixels with the extremes of their type among them."""
    rng = np.random.default_rng(9)
    shape = (layout.height, layout.width, layout.channels)
    if layout.dtype.kind == "f":
        pixels = rng.normal(0, 3, shape).astype(layout.dtype)
        if layout.alpha:
            pixels[..., -1] = rng.random(shape[:2])
        return pixels
    limits = np.iinfo(layout.dtype)
    pixels = rng.integers(limits.min, limits.max, shape, layout.dtype, endpoint=True)
    pixels[0, 0], pixels[0, 1] = limits.min, limits.max
    if layout.alpha:
        pixels[3:6, :, -1] = 0
    return pixels


def written(name: str, layout: Layout, target: Path) -> np.ndarray:
    """Write pixels and give them back."""
    pixels = pixels_of(layout)
    image = reader(pixels, colour=layout.colour, alpha=layout.alpha)
    with image, create_image(str(target), image, inputs=[], output=Output(format=name)) as writer:
        writer.begin(image)
        writer.write_stored(image.whole, pixels)
        writer.end()
    return pixels


def stored(path: Path) -> tuple[Layout, np.ndarray]:
    with open_image(str(path)) as image:
        return image.layout, image.stored(image.whole)


LOSSY = {"jpeg", "webp", "avif", "heic"}
RGB_ONLY = {"webp", "avif", "heic"}
"""Formats that take grey, but give it back as RGB."""
NAMELESS = {"npy", "zarr"}
"""Formats that do not say what their channels are."""


@pytest.mark.parametrize(
    ("name", "layout"), list(claims()), ids=lambda v: v if isinstance(v, str) else v.words
)
def test_what_is_claimed_comes_back(name: str, layout: Layout, tmp_path: Path) -> None:
    if name == "heic":
        pytest.importorskip("pillow_heif")
    suffix = FORMATS[name].suffixes[0]
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    pixels = written(name, layout, source)
    read, decoded = stored(source)
    assert decoded.dtype == pixels.dtype
    if name not in LOSSY:
        np.testing.assert_array_equal(decoded, pixels)
    if name not in NAMELESS:
        colour = "rgb" if name in RGB_ONLY else layout.colour
        assert (read.colour, read.alpha) == (colour, layout.alpha)
    filter_file(str(source), str(target), Gaussian, SHARP)
    again, got = stored(target)
    assert again == read
    if name not in LOSSY:
        np.testing.assert_array_equal(got, pixels)
    else:
        np.testing.assert_array_equal(got, stored_by(name, read, decoded, source, tmp_path))


def stored_by(
    name: str, layout: Layout, decoded: np.ndarray, source: Path, folder: Path
) -> np.ndarray:
    """Give what becomes of decoded pixels when they are encoded once more as the source was."""
    target = folder / f"again{source.suffix}"
    with (
        open_image(str(source)) as image,
        create_image(str(target), image, inputs=[], output=Output(format=name)) as writer,
    ):
        writer.begin(image)
        writer.write_stored(image.whole, decoded)
        writer.end()
    return stored(target)[1]


# Metadata, as exiftool sees it.

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    b'xmp:Rating="4"><dc:subject><rdf:Bag><rdf:li>coffee</rdf:li></rdf:Bag></dc:subject>'
    b'</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
FILE = {
    "SourceFile", "ExifTool:ExifToolVersion", "File:FileName", "File:Directory", "File:FileSize",
    "File:FileModifyDate", "File:FileAccessDate", "File:FileInodeChangeDate",
    "File:FilePermissions", "File:CurrentIPTCDigest",
}  # fmt: skip
"""About the file on the disk."""
STORED = {
    "PNG": {"PNG:Filter"},
    "TIFF": {
        "EXIF:StripOffsets", "EXIF:StripByteCounts", "EXIF:RowsPerStrip", "EXIF:TileOffsets",
        "EXIF:TileByteCounts",
    },
    "JPEG": {"File:EncodingProcess"},  # a progressive JPEG becomes a baseline one
}  # fmt: skip
"""What differs because pixels are stored anew."""


def exif_of(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Maker", "Model 1", orientation
    exif[0x013B], exif[0x8298] = "An artist", "2020 somebody"
    exif.get_ifd(0x8769).update(
        {
            0x829A: IFDRational(1, 250),
            0x9003: "2020:02:02 02:02:02",
            0x920A: IFDRational(50),
            0xA002: W,
            0xA003: H,
        }
    )
    exif[0x8769] = exif.get_ifd(0x8769)
    exif[0x8825] = {1: "N", 2: (51.0, 30.0, 0.5), 3: "W", 4: (0.0, 7.0, 0.25)}
    return exif


def iptc() -> bytes:
    """IPTC's headline and keyword in a Photoshop resource."""
    records = b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(text)) + text
        for number, text in ((105, b"A headline"), (25, b"coffee"))
    )
    return (
        b"8BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records + b"\0" * (len(records) % 2)
    )


RGB = np.random.default_rng(2).integers(0, 256, (H, W, 3), dtype=np.uint8)


def jpeg(orientation: int = 1) -> bytes:
    file = BytesIO()
    segment = b"Photoshop 3.0\0" + iptc()
    extra = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    Image.fromarray(RGB).save(
        file, "JPEG", quality=83, subsampling="4:2:2", exif=exif_of(orientation), icc_profile=ICC,
        xmp=XMP, dpi=(240, 240), comment="a comment", extra=extra,
    )  # fmt: skip
    return file.getvalue()


def png(orientation: int = 1) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    file, text = BytesIO(), PngInfo()
    text.add_text("Title", "a title")
    text.add_text("Comment", "compressed", zip=True)
    text.add_itxt("Author", "jemand mit Ümlaut", "de", "Autor")
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    text.add(b"gAMA", struct.pack(">I", 45455))
    text.add(b"tIME", struct.pack(">HBBBBB", 2021, 2, 3, 4, 5, 6))
    Image.fromarray(RGB).save(
        file, "PNG", exif=exif_of(orientation), icc_profile=ICC, dpi=(300, 300), pnginfo=text
    )
    return file.getvalue()


def tiff(orientation: int = 1) -> bytes:
    """With all that the JPEG says, put there by exiftool, and what only a TIFF can say."""
    geo = [
        (33550, 12, 3, (0.5, 0.5, 0.0), True),  # GeoTIFF's scale and place
        (33922, 12, 6, (0.0, 0.0, 0.0, 440720.0, 3751320.0, 0.0), True),
        (34735, 3, 8, (1, 1, 0, 1, 1024, 0, 1, 1), True),
        (42113, 2, 0, "-9999", True),
    ]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "in.jpg").write_bytes(jpeg(orientation))
        path = Path(folder) / "in.tif"
        tifffile.imwrite(
            path,
            RGB,
            photometric="rgb",
            compression="lzw",
            predictor=True,
            rowsperstrip=8,
            resolution=(240, 240),
            metadata=None,
            software=False,
            extratags=geo,
        )
        every = ["-all:all", "-icc_profile", "-unsafe"]
        options = ["-q", "-m", "-tagsfromfile", f"{folder}/in.jpg", *every]
        command = [str(EXIFTOOL), *options, str(path)]
        subprocess.run(command, check=True)
        return path.read_bytes()


SOURCES = {"JPEG": (jpeg, "jpg"), "PNG": (png, "png"), "TIFF": (tiff, "tif")}


def exiftool(path: Path) -> dict[str, object]:
    command = [str(EXIFTOOL), "-json", "-G", "-a", "-u", "-b", "-struct", str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {key: value for key, value in json.loads(told)[0].items() if key not in FILE}


@needs_exiftool
@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("kind", SOURCES)
def test_metadata_is_the_same_afterwards(kind: str, piped: bool, tmp_path: Path) -> None:
    make, suffix = SOURCES[kind]
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    source.write_bytes(make())
    if piped:
        through_a_pipe(source, target)
    else:
        filter_file(str(source), str(target), Gaussian, SHARP)
    before, after = exiftool(source), exiftool(target)
    for tag in STORED[kind]:
        before.pop(tag, None), after.pop(tag, None)
    assert after == before


def through_a_pipe(source: Path, target: Path) -> None:
    import sys

    command = [sys.executable, "-m", "svfilter", "blur", "-", "-", "--sigma", "0"]
    with source.open("rb") as given, target.open("wb") as taken:
        done = subprocess.run(
            command, stdin=given, stdout=taken, stderr=subprocess.PIPE, check=True
        )
    assert not done.stderr


@needs_exiftool
@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("kind", SOURCES)
def test_a_turned_picture_says_that_it_is_upright(
    kind: str, orientation: int, tmp_path: Path
) -> None:
    make, suffix = SOURCES[kind]
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    source.write_bytes(make(orientation))
    filter_file(str(source), str(target), Gaussian, SHARP)
    before, after = exiftool(source), exiftool(target)
    assert after["EXIF:Orientation"] == "Horizontal (normal)"
    size = (W, H) if orientation == 3 else (H, W)
    if kind != "TIFF":
        stated = after["EXIF:ExifImageWidth"], after["EXIF:ExifImageHeight"]
        assert stated == size
    same = ("EXIF:Make", "EXIF:Artist", "EXIF:ExposureTime", "EXIF:GPSLatitude", "XMP:Rating")
    assert [after[tag] for tag in same] == [before[tag] for tag in same]
    got = stored(target)[1]
    assert got.shape[:2] == size[::-1]
    if kind != "JPEG":
        np.testing.assert_array_equal(got, np.rot90(RGB, {3: 2, 6: -1}[orientation]))


@needs_exiftool
@pytest.mark.parametrize("target", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.filterwarnings("ignore::svfilter.errors.SvfilterWarning")
def test_metadata_survives_another_format(kind: str, target: str, tmp_path: Path) -> None:
    make, suffix = SOURCES[kind]
    source, path = tmp_path / f"in.{suffix}", tmp_path / f"out.{target}"
    source.write_bytes(make())
    filter_file(str(source), str(path), Gaussian, SHARP)
    before, after = exiftool(source), exiftool(path)
    tags = ["EXIF:Make", "EXIF:ExposureTime", "EXIF:DateTimeOriginal", "EXIF:GPSLatitude"]
    tags += ["EXIF:Copyright", "XMP:Rating", "XMP:Subject", "ICC_Profile:ProfileDescription"]
    if kind != "PNG" and target != "webp":
        tags += ["IPTC:Headline", "IPTC:Keywords"]
    assert {tag: after.get(tag) for tag in tags} == {tag: before[tag] for tag in tags}
    if target != "webp":
        with Image.open(path) as image:
            resolution = 300 if kind == "PNG" else 240
            assert image.info["dpi"] == pytest.approx((resolution, resolution), abs=0.1)


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_deep_colour_with_a_wide_profile_stays(alpha: bool, piped: bool, tmp_path: Path) -> None:
    """16-bit RGB with a profile that is not sRGB's: the same bits, the same profile."""
    profile = display_p3()
    layout = Layout(H, W, 3 + alpha, np.dtype("u2"), "rgb", "straight" if alpha else "")
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    pixels = written("png", layout, source)
    plain = source.read_bytes()
    import zlib

    data = b"Display P3\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(data)) + b"iCCP" + data
    chunk += struct.pack(">I", zlib.crc32(b"iCCP" + data))
    source.write_bytes(plain[:33] + chunk + plain[33:])
    if piped:
        through_a_pipe(source, target)
    else:
        filter_file(str(source), str(target), Gaussian, SHARP)
    read, got = stored(target)
    assert read == layout
    np.testing.assert_array_equal(got, pixels)
    with Image.open(target) as image:
        assert image.info["icc_profile"] == profile


def display_p3() -> bytes:
    """A profile with Display P3's primaries and sRGB's curve, of the least that is needed."""

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    curve = b"para\0\0\0\0\0\3\0\0" + b"".join(
        struct.pack(">i", round(v * 65536))
        for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    )
    tags = {
        b"rXYZ": xyz(0.5151, 0.2412, -0.0011), b"gXYZ": xyz(0.2919, 0.6922, 0.0419),
        b"bXYZ": xyz(0.1572, 0.0666, 0.7841), b"wtpt": xyz(0.9642, 1, 0.8249),
        b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
    }  # fmt: skip
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = bytearray(128)
    header[0:4] = struct.pack(">I", at + len(body))
    header[8:12], header[12:24], header[36:40] = b"\x04\0\0\0", b"mntrRGB XYZ ", b"acsp"
    return bytes(header) + struct.pack(">I", len(tags)) + table + body
