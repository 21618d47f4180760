"""Small sound files of every format, made anew for each run: what is then damaged."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import OpenImageIO
import tifffile
from PIL import Image, ImageCms, features

from svfilter.images.layout import Layout
from svfilter.images.metadata import Metadata
from svfilter.images.writing import encoder_of

from .structure import ends_of, places


@dataclass(frozen=True)
class Seed:
    """A file to damage."""

    format: str
    name: str
    data: bytes
    suffix: str
    needs: int = 0
    """The bytes from the start without which pixels are missing; 0: not known."""
    place: str = ""
    """Where the file stands in a folder, if the image is one,"""
    beside: dict[str, bytes] = field(default_factory=dict)
    """and the other files there."""
    marks: tuple[int, ...] = ()
    """Where fields of the file's structure begin."""


Made = Iterator[tuple[str, bytes]]
NOT_ALL_NEEDED = {
    "animated", "parts", "two", "another behind it", "all metadata", "exif", "RLE 8", "RLE 4",
    "more pixels than needed", "ImageJ",
}  # fmt: skip
"""Seeds of which the end does not matter: more pictures follow, or more than a picture."""
PAGED = {"pages", "pages, LZW", "ImageJ"}
"""Seeds of more than one picture, all of which are filtered."""
SIZES = ((1, 1), (7, 13), (3, 40), (30, 1), (16, 16), (23, 31))  # rows, columns
_DATE = "2020:01:01 00:00:00"
"""Instead of the present: seeds are the same in every run."""
_DATED = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILE = _DATED[:24] + bytes(12) + _DATED[36:]
XMP = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta '
    b'xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6" tiff:ImageWidth="31"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
IPTC = b"\x1c\x02\x05\x00\x05title\x1c\x02\x19\x00\x03key"
RESOURCES = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + b"\0" * (len(IPTC) % 2)


def corpus(formats: tuple[str, ...] = ()) -> dict[str, list[Seed]]:
    """Make the seeds of some formats, or of all that this machine has the packages for."""
    made: dict[str, list[Seed]] = {}
    for name, maker in MAKERS.items():
        if formats and name not in formats:
            continue
        rng = np.random.default_rng(7)
        made[name] = [
            Seed(
                name,
                title,
                data,
                SUFFIXES[name],
                0 if title in NOT_ALL_NEEDED else ends_of(data),
                marks=places(data),
            )
            for title, data in maker(rng)
        ]
    if (not formats or "zarr" in formats) and find_spec("zarr"):
        made["zarr"] = list(_zarr(np.random.default_rng(7)))
    return {name: seeds for name, seeds in made.items() if seeds}


def _noise(rng: np.random.Generator, shape: tuple[int, ...], dtype: str = "u1") -> np.ndarray:
    """Give pixels that are smooth enough to be compressed, with a little noise."""
    kind = np.dtype(dtype)
    ramp = np.linspace(0.1, 0.8, int(np.prod(shape))).reshape(shape)
    values = ramp + rng.random(shape) * 0.1
    if kind.kind == "f":
        return values.astype(kind)
    return (values * np.iinfo(kind).max).astype(kind)


def _exif(thumbnail: bytes = b"") -> bytes:
    """Give an EXIF block with sub-directories and perhaps a thumbnail."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "A camera"
    exif[0x011A] = 72.0
    exif.get_ifd(0x8769)[0x9003] = "2020:01:02 03:04:05"
    exif.get_ifd(0x8769)[0x927C] = bytes(range(40))
    exif.get_ifd(0x8825)[2] = (52.0, 30.0, 1.5)
    block = exif.tobytes()[6:]
    if not thumbnail:
        return block
    order = "<" if block[:2] == b"II" else ">"
    first = struct.unpack_from(order + "I", block, 4)[0]
    link = first + 2 + 12 * struct.unpack_from(order + "H", block, first)[0]
    at = len(block) + len(block) % 2
    entries = struct.pack(order + "HHHIIHHIII", 2, 513, 4, 1, at + 30, 514, 4, 1, len(thumbnail), 0)
    block = block[:link] + struct.pack(order + "I", at) + block[link + 4 :].ljust(at - link - 4)
    return block + entries + thumbnail


def _pillow(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def _ours(name: str, pixels: np.ndarray, alpha: Any, **options: Any) -> bytes:
    """Encode by svfilter's own encoder."""
    height, width, channels = pixels.shape
    colour: Any = "grey" if channels - bool(alpha) == 1 else "rgb"
    metadata = Metadata(
        icc_profile=PROFILE, exif=_exif(), xmp=XMP, iptc=IPTC, dpi=(72.0, 300.0), comments=("said",)
    )
    file = io.BytesIO()
    encoder = encoder_of(name)(file, jobs=1)
    layout = Layout(height, width, channels, pixels.dtype, colour, alpha)
    encoder.begin(layout, metadata, {"native": False, "pages": 1, **options})
    encoder.write(pixels)
    encoder.end()
    encoder.close()
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """Give a PNG chunk."""
    crc = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)


def _png(
    rng: np.random.Generator,
    size: tuple[int, int],
    kind: int,
    bits: int,
    *,
    interlaced: bool = False,
    pieces: int = 1,
    before: bytes = b"",
    behind: bytes = b"",
    extra: bytes = b"",
) -> bytes:
    height, width = size
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    raw = b""
    for across, down, right, below in ADAM7 if interlaced else ((0, 0, 1, 1),):
        wide, high = -(-(width - across) // right), -(-(height - down) // below)
        for _ in range(high if wide > 0 else 0):
            raw += bytes([rng.integers(0, 5)]) + rng.bytes(-(-wide * samples * bits // 8))
    packed = zlib.compress(raw + extra)
    cuts = [len(packed) * n // pieces for n in range(pieces + 1)]
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
    palette = chunk(b"PLTE", rng.bytes(3 * 2**bits)) if kind == 3 else b""
    pixels = b"".join(chunk(b"IDAT", packed[a:b]) for a, b in pairwise(cuts))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + palette + before + pixels + behind + chunk(b"IEND", b"")


ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # fmt: skip


def _pngs(rng: np.random.Generator) -> Made:
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    kinds = [(kind, bits) for kind, all_bits in depths.items() for bits in all_bits]
    for number, ((kind, bits), interlaced) in enumerate(product(kinds, (False, True))):
        size = SIZES[number % len(SIZES)]
        title = f"type {kind}, {bits} bits" + ", interlaced" * interlaced
        yield title, _png(rng, size, kind, bits, interlaced=interlaced, pieces=1 + number % 4)
    for kind, bits, values in ((0, 8, 2), (2, 8, 6), (3, 4, 9), (0, 16, 2), (2, 16, 6)):
        transparent = chunk(b"tRNS", bytes(values))
        yield f"tRNS, type {kind}, {bits} bits", _png(rng, (7, 13), kind, bits, before=transparent)
    early = [
        (b"gAMA", struct.pack(">I", 45455)), (b"cHRM", bytes(range(32))), (b"sRGB", b"\0"),
        (b"iCCP", b"sRGB\0\0" + zlib.compress(PROFILE)), (b"pHYs", struct.pack(">IIB", 1, 2, 1)),
        (b"tEXt", b"Comment\0said"), (b"zTXt", b"Author\0\0" + zlib.compress(b"me")),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP), (b"eXIf", _exif()),
        (b"tIME", bytes((7, 228, 1, 2, 3, 4, 5))), (b"bKGD", bytes(6)), (b"sBIT", b"\5\6\5"),
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(_raw_profile("exif", _exif()))),
        (b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(_raw_profile("iptc", RESOURCES))),
        (b"iTXt", b"Comment\0\1\0de\0Kommentar\0" + zlib.compress("gesagt ä".encode())),
    ]  # fmt: skip
    late = [(b"tEXt", b"Comment\0later"), (b"eXIf", _exif()), (b"tIME", bytes(7))]
    before, behind = (b"".join(chunk(*one) for one in some) for some in (early, late))
    yield "metadata", _png(rng, (7, 13), 2, 8, before=before)
    yield "metadata behind", _png(rng, (7, 13), 6, 8, pieces=3, behind=behind)
    yield "each metadata chunk in few bytes", _png(rng, (1, 1), 0, 8, before=before, behind=behind)
    bomb = b"Bomb\0\0" + zlib.compress(bytes(2**25))
    yield "text that inflates", _png(rng, (7, 13), 2, 8, before=chunk(b"zTXt", bomb) * 3)
    yield "more pixels than needed", _png(rng, (7, 13), 2, 8, extra=bytes(9000), pieces=2)
    frames = [Image.fromarray(_noise(rng, (7, 13, 3))) for _ in range(3)]
    yield "animated", _pillow(frames[0], "PNG", save_all=True, append_images=frames[1:])
    for alpha, dtype in product(("", "straight"), ("u1", "u2")):
        yield (
            f"ours {dtype} {alpha}",
            _ours("png", _noise(rng, (23, 31, 3 + bool(alpha)), dtype), alpha),
        )


def _raw_profile(kind: str, data: bytes) -> bytes:
    return f"\n{kind}\n{len(data):8}\n{data.hex()}\n".encode()


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _jpegs(rng: np.random.Generator) -> Made:
    for size, mode, progressive in product(SIZES, ("L", "RGB", "CMYK"), (False, True)):
        channels = {"L": (), "RGB": (3,), "CMYK": (4,)}[mode]
        image = Image.fromarray(_noise(rng, (*size, *channels)), mode)
        title = f"{mode} {size}" + ", progressive" * progressive
        yield title, _pillow(image, "JPEG", progressive=progressive)
    image = Image.fromarray(_noise(rng, (30, 40, 3)))
    for name in ("4:4:4", "4:2:2", "4:2:0", "4:1:1"):
        for progressive in (False, True):
            options = {"subsampling": name, "progressive": progressive, "quality": 90}
            yield f"{name}{', progressive' * progressive}", _pillow(image, "JPEG", **options)
    for number in (1, 2, 5):
        data = _pillow(image, "JPEG", restart_marker_blocks=number, subsampling="4:2:0")
        yield f"restart every {number}", data
    yield "optimised", _pillow(image, "JPEG", optimize=True, quality=30)
    yield "kept as RGB", _pillow(image, "JPEG", keep_rgb=True)
    thumbnail = _pillow(image.resize((8, 6)), "JPEG", quality=20)
    about = {
        "exif": _segment(0xE1, b"Exif\0\0" + _exif(thumbnail)),
        "icc": _segment(0xE2, b"ICC_PROFILE\0\1\2" + PROFILE[:200])
        + _segment(0xE2, b"ICC_PROFILE\0\2\2" + PROFILE[200:]),
        "xmp": _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
        "extended xmp": _extended_xmp(),
        "iptc": _segment(0xED, b"Photoshop 3.0\0" + RESOURCES),
        "comment": _segment(0xFE, b"said"),
        "gain map": _segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))
        + _segment(0xE2, b"MPF\0" + _multi_picture()),
        "hdrgm": _segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version="1.0"/>'),
        "unknown": _segment(0xE9, bytes(50)),
    }
    body = _pillow(Image.fromarray(_noise(rng, (16, 16, 3))), "JPEG")[2:]
    for title, segments in {**about, "all metadata": b"".join(about.values())}.items():
        yield title, b"\xff\xd8" + segments + body
    tail = body + thumbnail
    yield "another behind it", b"\xff\xd8" + about["exif"] + about["gain map"] + tail
    yield "lossless", bytes(imagecodecs.ljpeg_encode(_noise(rng, (16, 16))))
    yield "ours", _ours("jpeg", _noise(rng, (23, 31, 3)), "")
    yield "ours, grey", _ours("jpeg", _noise(rng, (33, 5, 1)), "")


def _extended_xmp() -> bytes:
    digest = b"0123456789ABCDEF0123456789ABCDEF"
    main = XMP.replace(b"<rdf:Desc", b"<rdf:Desc xmpNote:HasExtendedXMP='" + digest + b"' ", 1)
    parts = [(0, b"<a>"), (3, b"</a>")]
    return _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + main) + b"".join(
        _segment(
            0xE1,
            b"http://ns.adobe.com/xmp/extension/\0" + digest + struct.pack(">II", 7, at) + text,
        )
        for at, text in parts
    )


def _multi_picture() -> bytes:
    """Give the directory of two pictures in a file."""
    entry = struct.pack(">IIIHHIIIHH", 0x30000, 500, 0, 0, 0, 0, 300, 500, 0, 0)
    fields = struct.pack(">HHI4s", 0xB000, 7, 4, b"0100")
    fields += struct.pack(">HHII", 0xB001, 4, 1, 2) + struct.pack(">HHII", 0xB002, 7, 32, 50)
    return b"MM\0*\0\0\0\x08\0\3" + fields + bytes(4) + entry


def _tiff(pixels: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    options.setdefault("metadata", None)
    with tifffile.TiffWriter(
        file, bigtiff=options.pop("bigtiff", False), byteorder=options.pop("byteorder", "<")
    ) as writer:
        for number in range(options.pop("pages", 1)):
            writer.write(np.roll(pixels, number) + np.ones((), pixels.dtype) * number, **options)
    return file.getvalue()


def _tiffs(rng: np.random.Generator) -> Made:  # noqa: PLR0912, PLR0915  (a long table)
    rgb, grey = _noise(rng, (23, 31, 3)), _noise(rng, (30, 40))
    stored = ("none", "lzw", "adobe_deflate", "packbits", "zstd", "lzma")
    for number, (compression, tiled) in enumerate(product(stored, (False, True))):
        options: dict[str, Any] = {"tile": (16, 16)} if tiled else {"rowsperstrip": 5}
        if compression != "none":
            options["compression"] = compression
        options |= {"byteorder": "<>"[number % 2], "bigtiff": number % 3 == 2}
        title = f"{compression}{', tiled' * tiled}"
        yield title, _tiff(rgb, photometric="rgb", **options)
        if compression in ("lzw", "adobe_deflate", "zstd"):
            yield f"{title}, predictor", _tiff(rgb, photometric="rgb", predictor=True, **options)
        yield (
            f"{title}, planes",
            _tiff(
                rgb.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate", **options
            ),
        )
    for dtype in ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "f2", "f4", "f8", "c8", "?"):
        pixels = _noise(rng, (7, 13), "f4" if dtype in "c8?" else dtype).astype(dtype)
        for order, big in (("<", False), (">", True)):
            options = {"photometric": "minisblack", "byteorder": order, "bigtiff": big}
            yield f"{dtype} {order}", _tiff(pixels, **options)
        if dtype in ("u2", "f4"):
            options = {"compression": "lzw", "predictor": True, "byteorder": ">"}
            yield f"{dtype}, predictor", _tiff(pixels, photometric="minisblack", **options)
    yield "0 is white", _tiff(grey, photometric="miniswhite")
    palette = rng.integers(0, 65536, (3, 256), dtype=np.uint16)
    yield "palette", _tiff(grey, photometric="palette", colormap=palette, compression="lzw")
    for mode, encoder in product(("1", "P", "L", "RGB", "RGBA", "CMYK"), ("", "tiff_lzw")):
        image = Image.fromarray(grey).convert("RGB").convert(mode)
        yield f"Pillow {mode} {encoder}", _pillow(image, "TIFF", compression=encoder or None)
    for encoder in ("group3", "group4", "tiff_ccitt"):
        image = Image.fromarray(grey).convert("1")
        yield f"Pillow {encoder}", _pillow(image, "TIFF", compression=encoder)
    for alpha in ("assocalpha", "unassalpha", "unspecified"):
        pixels = _noise(rng, (7, 13, 4))
        yield alpha, _tiff(pixels, photometric="rgb", extrasamples=[alpha], compression="lzw")
    yield "bands", _tiff(_noise(rng, (7, 13, 6)), photometric="minisblack", planarconfig="contig")
    yield "inks", _tiff(_noise(rng, (7, 13, 4)), photometric="separated")
    for compression in ("jpeg", "webp", "jpeg2000", "lerc", "jpegxl"):
        options = {"compression": compression, "photometric": "rgb", "tile": (16, 16)}
        try:
            yield compression, _tiff(rgb, **options)
        except (ValueError, KeyError):
            continue
    options = {"compression": "jpeg", "photometric": "ycbcr", "subsampling": (2, 2)}
    yield "YCbCr", _tiff(rgb, tile=(16, 16), **options)
    for bits in (2, 4, 12):
        yield f"{bits} bits", _packed(rng.integers(0, 2**bits, (7, 13)), bits)
    yield "pages", _tiff(_noise(rng, (7, 13)), photometric="minisblack", pages=3)
    yield "pages, LZW", _tiff(rgb, photometric="rgb", pages=2, compression="lzw", bigtiff=True)
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(grey, photometric="minisblack", subifds=1, tile=(16, 16), metadata=None)
        writer.write(grey[::2, ::2], photometric="minisblack", subfiletype=1, metadata=None)
        writer.write(grey[::3, ::3], photometric="minisblack", subfiletype=1, metadata=None)
    yield "smaller copies", file.getvalue()
    tags = [
        (33550, "d", 3, (1.0, 1.0, 0.0), True), (33922, "d", 6, (0.0,) * 6, True),
        (34735, "H", 8, (1, 1, 0, 1, 1024, 0, 1, 1), True), (34737, "s", 0, "WGS 84|", True),
        (42113, "s", 0, "255", True), (700, "B", len(XMP), XMP, True),
        (33723, "B", len(IPTC), IPTC, True), (34377, "B", len(RESOURCES), RESOURCES, True),
        (42112, "s", 0, "<GDALMetadata/>", True), (65000, "I", 3, (1, 2, 3), True),
    ]  # fmt: skip
    options = {"extratags": tags, "iccprofile": PROFILE, "description": "said", "software": "it"}
    for order, big in (("<", False), (">", True)):
        options |= {"byteorder": order, "bigtiff": big, "resolution": (72, 300)}
        yield f"tags {order}", _tiff(rgb, photometric="rgb", rowsperstrip=4, **options)
    image = Image.fromarray(rgb)
    exif = Image.Exif()
    exif.load(_exif())
    yield "EXIF", _pillow(image, "TIFF", exif=exif)
    yield "ImageJ", _imagej(grey)
    for compression, alpha in product(
        ("none", "lzw", "deflate", "zstd", "packbits"), ("", "straight")
    ):
        pixels = _noise(rng, (23, 31, 3 + bool(alpha)), "u2")
        yield f"ours {compression} {alpha}", _ours("tiff", pixels, alpha, compression=compression)
    yield "ours, tiled", _ours("tiff", rgb, "", compression="deflate", tile=(16, 16))
    options = {"photometric": "minisblack", "compression": "adobe_deflate", "rowsperstrip": 1000}
    yield "strip that inflates", _tiff(np.zeros((1000, 1000), np.uint8), **options)


def _packed(pixels: np.ndarray, bits: int) -> bytes:
    """Give a TIFF of fewer bits than a byte has, or more, by hand."""
    rows = [
        np.packbits((row[:, None] >> np.arange(bits)[::-1] & 1).astype(np.uint8)).tobytes()
        for row in pixels
    ]
    data = b"".join(rows)
    height, width = pixels.shape
    fields = [
        (256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1),
        (278, height), (279, len(data)),
    ]  # fmt: skip
    directory = struct.pack("<H", len(fields)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields
    )
    data += b"\0" * (len(data) % 2)
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + directory + bytes(4)


def _imagej(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, np.stack([pixels, pixels]), imagej=True)
    return file.getvalue()


def _exrs(rng: np.random.Generator) -> Made:
    kinds = ("none", "rle", "zip", "zips", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab")
    names = {1: ("Y",), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A"), 5: tuple("abcde")}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "a.exr"))
        for number, (compression, tiled) in enumerate(product(kinds, (False, True))):
            channels, dtype = (3, 4, 1, 5)[number % 4], ("half", "float")[number % 2]
            height, width = SIZES[number % len(SIZES)]
            spec = OpenImageIO.ImageSpec(width, height, channels, dtype)
            spec.channelnames = names[channels]
            spec.attribute("compression", compression)
            spec.attribute("owner", "somebody")
            spec.attribute("DateTime", _DATE)
            if tiled:
                spec.tile_width = spec.tile_height = 16
            if number % 5 == 4:
                spec.x, spec.y = 3, -4
            output = OpenImageIO.ImageOutput.create(path)
            output.open(path, spec)
            output.write_image(_noise(rng, (height, width, channels), "f4"))
            output.close()
            yield f"{compression} {dtype} {channels}" + ", tiled" * tiled, Path(path).read_bytes()
        specs = [OpenImageIO.ImageSpec(9, 5, 3, "half") for _ in range(2)]
        for number, spec in enumerate(specs):
            spec.attribute("oiio:subimagename", f"part{number}")
            spec.attribute("DateTime", _DATE)
        output = OpenImageIO.ImageOutput.create(path)
        output.open(path, specs)
        output.write_image(_noise(rng, (5, 9, 3), "f4"))
        output.open(path, specs[1], "AppendSubimage")
        output.write_image(_noise(rng, (5, 9, 3), "f4"))
        output.close()
        yield "parts", Path(path).read_bytes()
    for compression, dtype in product(("none", "zips", "zip"), ("f2", "f4")):
        pixels = _noise(rng, (23, 31, 3), dtype)
        yield f"ours {compression} {dtype}", _ours("exr", pixels, "", compression=compression)


def _netpbms(rng: np.random.Generator) -> Made:
    for height, width in SIZES:
        size = b"%d %d\n" % (width, height)
        yield f"P4 {height}", b"P4\n" + size + rng.bytes(-(-width // 8) * height)
        yield f"P5 {height}", b"P5\n# said\n" + size + b"255\n" + rng.bytes(width * height)
        yield f"P6 {height}", b"P6 " + size + b"65535\n" + rng.bytes(6 * width * height)
        yield (
            f"P6 small {height}",
            b"P6\n" + size + b"7\n" + bytes(rng.integers(0, 8, 3 * width * height, np.uint8)),
        )
        for kind, most, count in ((b"P1", 1, 1), (b"P2", 255, 1), (b"P3", 1000, 3)):
            values = rng.integers(0, most + 1, count * width * height)
            text = b" ".join(b"%d" % value for value in values)
            maximum = b"" if kind == b"P1" else b"%d\n" % most
            yield f"{kind.decode()} {height}", kind + b"\n" + size + maximum + text + b"\n"
    yield "P1, close", b"P1\n5 3\n101010101010101\n"
    yield "two", (b"P5 2 2 255\n" + bytes(4)) * 2


def _pams(rng: np.random.Generator) -> Made:
    kinds = {
        "GRAYSCALE": (1, 255), "GRAYSCALE_ALPHA": (2, 65535), "RGB": (3, 255),
        "RGB_ALPHA": (4, 1000), "BLACKANDWHITE": (1, 1), "other": (5, 255),
    }  # fmt: skip
    for number, (name, (depth, most)) in enumerate(kinds.items()):
        height, width = SIZES[number]
        dtype = np.dtype(">u2" if most > 255 else "u1")
        values = rng.integers(0, most + 1, height * width * depth).astype(dtype)
        header = (
            f"P7\n# said\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL {most}\n"
            f"TUPLTYPE {name}\nENDHDR\n"
        )
        yield name, header.encode() + values.tobytes()


def _pfms(rng: np.random.Generator) -> Made:
    for (height, width), (kind, count), scale in product(
        SIZES, (("Pf", 1), ("PF", 3)), ("-1.0", "1.0")
    ):
        values = _noise(rng, (height * width * count,), "f4").astype(
            "<f4" if scale[0] == "-" else ">f4"
        )
        header = f"{kind}\n{width} {height}\n{scale}\n".encode()
        yield f"{kind} {scale} {height}", header + values.tobytes()


def _npys(rng: np.random.Generator) -> Made:
    for number, dtype in enumerate(
        ("?", "u1", "<u2", ">u2", "u4", "i1", "i2", ">i4", "f2", "<f4", ">f4", "f8", "u8", "c8")
    ):
        for shape in (SIZES[number % 6], (*SIZES[number % 5], 3), (4, 7, 13), (2, 5, 6, 7)):
            for fortran in (False, True):
                values = (rng.random(shape) * 200).astype(dtype)
                file = io.BytesIO()
                np.save(file, np.asfortranarray(values) if fortran else values)
                yield f"{dtype} {shape}{' F' * fortran}", file.getvalue()
    for version in ((2, 0), (3, 0)):
        file = io.BytesIO()
        np.lib.format.write_array(file, np.zeros((3, 4), "f4"), version=version)
        yield f"version {version}", file.getvalue()


def _webps(rng: np.random.Generator) -> Made:
    for size, channels, lossless in product(SIZES, (3, 4), (False, True)):
        image = Image.fromarray(_noise(rng, (*size, channels)))
        title = f"{size} {channels}" + ", lossless" * lossless
        yield title, _pillow(image, "WEBP", lossless=lossless, exact=True)
    image = Image.fromarray(_noise(rng, (16, 16, 3)))
    about = {"exif": b"Exif\0\0" + _exif(), "xmp": XMP, "icc_profile": PROFILE}
    yield "metadata", _pillow(image, "WEBP", **about)
    frames = [Image.fromarray(_noise(rng, (16, 16, 3))) for _ in range(2)]
    yield "animated", _pillow(image, "WEBP", save_all=True, append_images=frames)
    yield "ours", _ours("webp", _noise(rng, (7, 13, 3)), "")


def _gifs(rng: np.random.Generator) -> Made:
    for size, mode in product(SIZES, ("L", "P", "1")):
        image = Image.fromarray(_noise(rng, size)).convert("RGB").convert(mode)
        yield f"{mode} {size}", _pillow(image, "GIF")
    image = Image.fromarray(_noise(rng, (23, 31, 3))).quantize(16)
    yield "transparent", _pillow(image, "GIF", transparency=3, comment=b"said")
    yield "not interlaced", _pillow(image, "GIF", interlace=0)
    frames = [Image.fromarray(_noise(rng, (23, 31, 3))).quantize(8) for _ in range(3)]
    yield "animated", _pillow(image, "GIF", save_all=True, append_images=frames, disposal=2)


def _bmps(rng: np.random.Generator) -> Made:
    for size, mode in product(SIZES, ("L", "P", "1", "RGB", "RGBA")):
        image = Image.fromarray(_noise(rng, size)).convert("RGB").convert(mode)
        yield f"{mode} {size}", _pillow(image, "BMP")
    for compression, body in (
        (1, b"\5\1\0\0\0\5\1\2\3\4\5\0\0\0\2\1\2\3\4\0\1"),
        (2, b"\5\x12\0\0\0\5\x12\x34\x50\0\0\0\5\x12\0\1"),
    ):
        bits = 8 if compression == 1 else 4
        entries = 2**bits
        start = 14 + 40 + 4 * entries
        header = struct.pack("<IiiHHIIiiII", 40, 5, 3, 1, bits, compression, len(body), 0, 0, 0, 0)
        data = header + rng.bytes(4 * entries) + body
        yield f"RLE {bits}", b"BM" + struct.pack("<IHHI", 14 + len(data), 0, 0, start) + data
    for bits, masks in ((16, (0xF800, 0x7E0, 0x1F)), (32, (0xFF0000, 0xFF00, 0xFF))):
        body = rng.bytes(-(-5 * bits // 32) * 4 * 3)
        header = struct.pack("<IiiHHIIiiII", 40, 5, -3, 1, bits, 3, len(body), 0, 0, 0, 0)
        data = header + struct.pack("<3I", *masks) + body
        yield f"masks {bits}", b"BM" + struct.pack("<IHHI", 14 + len(data), 0, 0, 66) + data


def _avifs(rng: np.random.Generator) -> Made:
    if not features.check("avif"):
        return
    about = {"exif": b"Exif\0\0" + _exif(), "xmp": XMP, "icc_profile": PROFILE}
    for (height, width), channels in product(((1, 1), (7, 13), (30, 40)), (3, 4)):
        image = Image.fromarray(_noise(rng, (height, width, channels)))
        yield f"{height} {channels}", _pillow(image, "AVIF", speed=10)
    yield "metadata", _pillow(image, "AVIF", speed=10, **about)
    yield "animated", _pillow(image, "AVIF", speed=10, save_all=True, append_images=[image])
    deep = _noise(rng, (16, 16, 3), "u2") >> 6
    yield "10 bits", bytes(imagecodecs.avif_encode(deep, bitspersample=10))


def _jxls(rng: np.random.Generator) -> Made:
    for number, (dtype, channels) in enumerate(product(("u1", "u2", "f2", "f4"), (1, 3, 4))):
        shape = SIZES[number % len(SIZES)]
        pixels = _noise(rng, shape if channels == 1 else (*shape, channels), dtype)
        for container in (False, True):
            data = imagecodecs.jpegxl_encode(pixels, lossless=True, usecontainer=container)
            yield f"{dtype} {channels}{', in boxes' * container}", bytes(data)
    yield "lossy", bytes(imagecodecs.jpegxl_encode(_noise(rng, (23, 31, 3)), level=80))


def _zarr(rng: np.random.Generator) -> Iterator[Seed]:
    import zarr

    pixels = _noise(rng, (23, 31, 3))
    with tempfile.TemporaryDirectory() as parent:
        made: dict[str, Callable[[str], object]] = {
            "plain": lambda at: zarr.create_array(
                at, data=pixels, chunks=(10, 31, 3), compressors=None
            ),
            "zstd": lambda at: zarr.create_array(at, data=pixels, chunks=(10, 16, 3)),
            "gzip": lambda at: zarr.create_array(
                at, data=pixels[..., 0], chunks=(8, 31), compressors=zarr.codecs.GzipCodec()
            ),
            "blosc": lambda at: zarr.create_array(
                at, data=pixels, chunks=(23, 31, 3), compressors=zarr.codecs.BloscCodec()
            ),
            "shards": lambda at: zarr.create_array(
                at, data=pixels, chunks=(5, 31, 3), shards=(10, 31, 3)
            ),
            "version 2": lambda at: zarr.create_array(
                at, data=pixels, chunks=(10, 31, 3), zarr_format=2
            ),
            "OME": lambda at: _ome(at, pixels),
        }
        for title, make in made.items():
            folder = Path(parent, title)
            make(str(folder))
            files = {
                str(path.relative_to(folder)): path.read_bytes()
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
            for name, data in files.items():
                beside = {other: held for other, held in files.items() if other != name}
                whole = len(data) if title == "plain" and not name.endswith(".json") else 0
                marks = tuple(range(min(len(data), 64)))
                yield Seed("zarr", f"{title}: {name}", data, "", whole, name, beside, marks)


def _ome(at: str, pixels: np.ndarray) -> None:
    import zarr

    group = zarr.create_group(at)
    group.create_array("0", data=np.stack([pixels[..., 0]] * 2), chunks=(1, 23, 31))
    axes = [{"name": name} for name in "zyx"]
    group.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}


MAKERS: dict[str, Callable[[np.random.Generator], Made]] = {
    "png": _pngs, "jpeg": _jpegs, "tiff": _tiffs, "exr": _exrs, "netpbm": _netpbms, "pam": _pams,
    "pfm": _pfms, "npy": _npys, "webp": _webps, "gif": _gifs, "bmp": _bmps, "avif": _avifs,
    "jxl": _jxls,
}  # fmt: skip
SUFFIXES = {
    "png": ".png", "jpeg": ".jpg", "tiff": ".tif", "exr": ".exr", "netpbm": ".ppm", "pam": ".pam",
    "pfm": ".pfm", "npy": ".npy", "webp": ".webp", "gif": ".gif", "bmp": ".bmp", "avif": ".avif",
    "jxl": ".jxl",
}  # fmt: skip
