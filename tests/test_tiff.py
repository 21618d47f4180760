"""TIFF read and written: compared with tifffile, Pillow (libtiff) and exiftool."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import shutil
import struct
import subprocess
import threading
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.decoders.tiff import TiffDecoder
from svfilter.images.decoders.tiff_segments import Segments
from svfilter.images.encoders.tiff import TiffEncoder
from svfilter.images.layout import Alpha, Colour, Layout
from svfilter.images.metadata import Metadata
from svfilter.images.metadata.directory import read_directory, write_directory

NOTHING = Metadata()
RNG = np.random.default_rng(17)
DTYPES = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]
LAYOUTS: list[dict] = [{}, {"rowsperstrip": 3}, {"tile": (16, 32)}]
EXIFTOOL = shutil.which("exiftool")
needs_exiftool = pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")


def noise(height: int, width: int, channels: int = 3, dtype: str = "u1") -> np.ndarray:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return RNG.normal(size=(height, width, channels)).astype(kind)
    limits = np.iinfo(kind)
    return RNG.integers(
        limits.min, limits.max, (height, width, channels), dtype=kind, endpoint=True
    )


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.ogrid[:height, :width]
    return np.stack([x * 4 + 0 * y, y * 5 + 0 * x, x * 2 + y * 2], -1).astype("u1")


def save(path: Path, pixels: np.ndarray, **options) -> None:
    """Write by tifffile, without its own metadata."""
    channels = pixels.shape[2]
    options.setdefault("photometric", "rgb" if channels > 2 else "minisblack")
    if options.get("planarconfig") == "separate":
        pixels = np.moveaxis(pixels, -1, 0).copy()
    elif channels == 1:
        pixels = pixels[..., 0]
    elif channels == 2:
        options["planarconfig"] = "contig"
    tifffile.imwrite(path, pixels, **{"metadata": None, "software": False, **options})


def read(path: Path, **options) -> tuple[np.ndarray, TiffDecoder]:
    decoder = TiffDecoder(str(path), **options)
    try:
        return decoder.rows(0, decoder.layout.height), decoder
    finally:
        decoder.close()


def attempt(path: Path) -> np.ndarray | None:
    """Read a file that is damaged; None if that is found."""
    try:
        return read(path)[0]
    except Exception:
        return None


def crude(path: Path, fields: dict[int, tuple[int, list[int]]], data: bytes = bytes(999)) -> None:
    """Write a TIFF of a few fields, changed from those of a grey image of 7 x 5 pixels."""
    grey = {
        256: (3, [7]), 257: (3, [5]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1]),
        273: (4, [2000]), 277: (3, [1]), 278: (3, [5]), 279: (4, [35]),
    }  # fmt: skip
    forms = {1: "B", 3: "H", 4: "I"}
    entries = [
        (tag, kind, len(values), struct.pack(f"<{len(values)}{forms[kind]}", *values))
        for tag, (kind, values) in (grey | fields).items()
        if values
    ]
    start = b"II*\0\x08\0\0\0" + write_directory(entries, 8, "<")
    path.write_bytes(start.ljust(2000, b"\0") + data)


def encode(
    file: io.BufferedIOBase,
    pixels: np.ndarray,
    colour: Colour = "rgb",
    alpha: Alpha = "",
    *,
    jobs: int = 2,
    pieces: int = 1000,
    metadata: Metadata = NOTHING,
    **options,
) -> None:
    encoder = TiffEncoder(file, jobs=jobs)
    encoder.begin(Layout(*pixels.shape, pixels.dtype, colour, alpha), metadata, options)
    for top in range(0, len(pixels), pieces):
        encoder.write(pixels[top : top + pieces])
    encoder.end()
    encoder.close()


def again(source: Path, target: Path, **options) -> TiffDecoder:
    """Read a file and write it in the same way."""
    pixels, decoder = read(source)
    layout, storage = decoder.layout, decoder.storage
    with target.open("wb") as file:
        encode(
            file,
            pixels,
            layout.colour,
            layout.alpha,
            metadata=decoder.metadata,
            **{**storage.options, **options},
        )
    return decoder


def by_exiftool(path: Path) -> dict[str, object]:
    """All that exiftool finds, but for what is of the file and where the pixels are."""
    command = [EXIFTOOL, "-j", "-a", "-G1:4", "-s", "-u", "-n", str(path)]
    (found,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {
        key: value
        for key, value in found.items()
        if not key.startswith(("System", "File", "ExifTool", "Composite", "SourceFile"))
        and not key.endswith(("Offsets", "ByteCounts"))
    }


COMPRESSIONS = [
    None, "zlib", "lzw", "packbits", "zstd", "lzma", "lerc", "jpeg2000", "webp", "jpeg",
]  # fmt: skip
LIMITED = {
    "lerc": ("u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8"),
    "jpeg2000": ("u1", "u2"),
    "webp": ("u1",),
    "jpeg": ("u1",),
}


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_any_rows_are_those_that_tifffile_reads(compression: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    table = itertools.product([(1, 1), (33, 70)], LIMITED.get(compression, DTYPES), LAYOUTS)
    orders = "<<" if compression in LIMITED else "<>"  # these have an order of their own
    for number, (size, dtype, layout) in enumerate(table):
        pixels = noise(*size, (1, 3, 3 if compression == "jpeg" else 4)[number % 3], dtype)
        options = {**layout, "byteorder": orders[number % 2], "bigtiff": number % 5 == 0}
        planar = pixels.shape[2] > 1 and number % 4 == 0 and compression != "webp"
        options |= {"planarconfig": "separate"} if planar else {}
        options |= {"predictor": True} if number % 2 and compression in ("zlib", "lzw") else {}
        if (dtype == "f2" and "predictor" in options) or (
            compression == "webp" and number % 3 == 0
        ):
            continue
        if "rowsperstrip" in options and compression == "jpeg":
            options["rowsperstrip"] = 16
        save(path, pixels, compression=compression, **options)
        expected = tifffile.imread(path)
        expected = np.moveaxis(expected, 0, -1) if planar else expected.reshape(pixels.shape)
        decoder = TiffDecoder(str(path), jobs=1 + number % 2)
        try:
            for _ in range(5):
                start = int(RNG.integers(0, size[0]))
                stop = int(RNG.integers(start, size[0])) + 1
                rows = decoder.rows(start, stop)
                np.testing.assert_array_equal(rows, expected[start:stop], strict=True)
            np.testing.assert_array_equal(decoder.rows(0, size[0]), expected, strict=True)
        finally:
            decoder.close()
        assert decoder.layout.dtype.isnative
        if compression not in LIMITED:
            np.testing.assert_array_equal(expected, pixels)


def test_a_long_strip_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(3000, 700)
    for name, options in {
        "one": {},
        "two": {"rowsperstrip": 1500},
        "planes": {"planarconfig": "separate"},
        "swapped": {"byteorder": ">", "dtype": "u2"},
    }.items():
        path = tmp_path / name
        expected = pixels.astype(options.pop("dtype", "u1"))
        save(path, expected, **options)
        asked = []
        whole = tifffile.FileHandle.read
        decoder = TiffDecoder(str(path))
        with monkeypatch.context() as patch:
            patch.setattr(
                tifffile.FileHandle,
                "read",
                lambda file, size, whole=whole, asked=asked: (
                    asked.append(size) or whole(file, size)
                ),
            )
            rows = decoder.rows(1490, 1510)
        decoder.close()
        np.testing.assert_array_equal(rows, expected[1490:1510], strict=True)
        assert 20 * expected[0].nbytes <= sum(asked) < expected.nbytes / 3
        assert decoder.memory < expected.nbytes


def test_a_segment_of_two_calls_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    pixels = noise(40, 50)
    save(path, pixels, compression="zlib", tile=(16, 16))
    decoded = []
    inner = Segments._decode
    monkeypatch.setattr(
        Segments,
        "_decode",
        lambda self, data, index: decoded.append(index) or inner(self, data, index),
    )
    decoder = TiffDecoder(str(path))
    rows = np.concatenate([decoder.rows(top, min(top + 7, 40)) for top in range(0, 40, 7)])
    decoder.close()
    np.testing.assert_array_equal(rows, pixels)
    assert sorted(decoded) == list(range(12))
    assert decoder.block == 16


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK", "YCbCr", "P", "RGBA", "LA", "I;16", "F"])
def test_kinds_are_those_that_libtiff_reads(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    if mode in ("I;16", "F"):
        image = Image.fromarray(smooth(37, 53)[..., 0].astype("u2" if mode == "I;16" else "f4"))
    else:
        image = Image.fromarray(smooth(37, 53)).convert(mode)
    compressions = {
        "1": ["raw", "group3", "group4", "tiff_ccitt", "packbits"],
        "YCbCr": ["jpeg"],
    }.get(mode, ["raw", "tiff_lzw", "tiff_adobe_deflate"])
    compressions += ["jpeg"] * (mode in ("L", "RGB", "CMYK"))
    for compression in compressions:
        image.save(path, compression=compression)
        with Image.open(path) as written:
            read_as = {"1": "L", "P": "RGB", "YCbCr": "RGB"}.get(mode, mode)
            by_pillow = np.asarray(written if read_as == "I;16" else written.convert(read_as))
        pixels, decoder = read(path)
        np.testing.assert_array_equal(pixels, by_pillow.reshape(pixels.shape), strict=True)
        colour = {"R": "rgb", "P": "rgb", "Y": "rgb", "C": "cmyk"}.get(mode[0], "grey")
        assert decoder.layout.colour == colour
        assert decoder.layout.alpha == ("straight" if mode.endswith("A") else "")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"subsampling": (1, 1)},
        {"subsampling": (2, 1), "tile": (32, 32)},
        {"compressionargs": {"outcolorspace": "rgb"}},
        {"rowsperstrip": 16},
    ],
    ids=str,
)
def test_jpeg_is_the_rgb_that_libtiff_reads(options: dict, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    original = smooth(48, 64)
    save(path, original, compression="jpeg", **options)
    pixels, _ = read(path)
    with Image.open(path) as image:
        np.testing.assert_array_equal(pixels, np.asarray(image.convert("RGB")))
    assert np.abs(pixels.astype(int) - original).max() < 8


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 7, 10, 12, 14])
def test_packed_values_are_scaled_to_the_full_range(bits: int, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    values = RNG.integers(0, 2**bits, (7, 13, 1)).astype("u1" if bits < 8 else "u2")
    values[0, 0], values[0, 1] = 0, 2**bits - 1
    top = 255 if bits < 8 else 65535
    expected = np.round(values * (top / (2**bits - 1))).astype(values.dtype)
    for photometric, white in (("minisblack", 0), ("miniswhite", top)):
        stored = values.astype(bool) if bits == 1 else values
        save(path, stored, photometric=photometric, **({"bitspersample": bits} if bits > 1 else {}))
        pixels, _ = read(path)
        np.testing.assert_array_equal(pixels, np.abs(expected.astype(int) - white))


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
def test_white_is_0_is_inverted(dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    values = noise(9, 8, 1, dtype)
    largest = np.iinfo(dtype).max
    for planar in ("contig", "separate"):
        for samples in (1, 2):
            stored = np.repeat(values, samples, axis=2)
            extra = {"planarconfig": planar, "extrasamples": [2]} if samples > 1 else {}
            save(path, stored, photometric="miniswhite", **extra)
            pixels, decoder = read(path)
            np.testing.assert_array_equal(pixels[..., 0], largest - values[..., 0], strict=True)
            np.testing.assert_array_equal(pixels[..., 1:], stored[..., 1:])
            assert decoder.layout.alpha == ("straight" if samples > 1 else "")


@pytest.mark.parametrize(
    ("entries", "dtype", "scale"),
    [
        (lambda c: c * 257, "u1", 1),
        (lambda c: c * 256, "u1", 1),
        (lambda c: c, "u1", 1),
        (lambda c: c * 256 + c[::-1], "u2", 1),
    ],
    ids=["times 257", "times 256", "unscaled", "16 bits"],
)
def test_palettes_become_colours(entries, dtype: str, scale: int, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    colours = RNG.integers(0, 256, (3, 256)).astype("u2")
    index = noise(11, 9, 1)
    save(path, index, photometric="palette", colormap=entries(colours))
    pixels, decoder = read(path)
    expected = (colours if dtype == "u1" else entries(colours)).T.astype(dtype)[index[..., 0]]
    np.testing.assert_array_equal(pixels, expected, strict=True)
    assert (decoder.layout.colour, decoder.layout.channels) == ("rgb", 3)


@pytest.mark.parametrize(
    ("photometric", "channels", "extra", "colour", "alpha"),
    [
        ("minisblack", 1, None, "grey", ""),
        ("minisblack", 2, [1], "grey", "associated"),
        ("minisblack", 2, [2], "grey", "straight"),
        ("minisblack", 2, [0], "bands", ""),
        ("minisblack", 7, None, "bands", ""),
        ("rgb", 4, [1], "rgb", "associated"),
        ("rgb", 4, [2], "rgb", "straight"),
        ("rgb", 4, [0], "bands", ""),
        ("rgb", 5, [2, 0], "bands", ""),
        ("separated", 4, None, "cmyk", ""),
        ("separated", 5, [2], "cmyk", "straight"),
        ("separated", 6, [0, 0], "bands", ""),
    ],
)
def test_channels_are_named_and_written_alike(
    photometric, channels: int, extra, colour: str, alpha: str, tmp_path: Path
) -> None:
    path, copy = tmp_path / "a.tif", tmp_path / "b.tif"
    for planar in ("contig", "separate"):
        pixels = noise(20, 17, channels, "u2")
        options = {"planarconfig": planar} if channels > 1 else {}
        save(path, pixels, photometric=photometric, extrasamples=extra, **options)
        found, decoder = read(path)
        np.testing.assert_array_equal(found, pixels)
        assert (decoder.layout.colour, decoder.layout.alpha) == (colour, alpha)
        again(path, copy)
        with tifffile.TiffFile(path) as old, tifffile.TiffFile(copy) as new:
            for name in ("photometric", "extrasamples", "planarconfig", "bitspersample", "shape"):
                assert getattr(new.pages[0], name) == getattr(old.pages[0], name)
            np.testing.assert_array_equal(new.asarray(), old.asarray())


def test_inks_stay_with_bands(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.tif", tmp_path / "b.tif"
    names = b"orange\0green\0violet\0red\0blue\0"
    inks = {332: (3, [2]), 334: (3, [5]), 333: (1, list(names))}
    samples = {262: (3, [5]), 277: (3, [5]), 258: (3, [8] * 5), 279: (4, [175])}
    crude(path, inks | samples, noise(5, 7, 5).tobytes())
    decoder = again(path, copy)
    assert decoder.layout.colour == "bands"
    with tifffile.TiffFile(copy) as file:
        tags = file.pages[0].tags
        assert (tags[332].value, tags[334].value, tags[333].value) == (2, 5, names)
        assert 338 not in tags


def test_orientation_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tag = [(274, 3, 1, 6, True), (315, 2, 0, "me", True)]
    save(path, noise(7, 13), extratags=tag, resolution=(300, 150))
    pixels, decoder = read(path)
    assert decoder.orientation == 6
    assert pixels.shape == (7, 13, 3)
    assert decoder.metadata.dpi == (150, 300)
    entries, _ = read_directory(decoder.metadata.exif, 8, "<")
    assert [entry.data for entry in entries if entry.tag == 274] == [b"\1\0"]


REFUSED = {
    "Lab": ({262: (3, [8]), 277: (3, [3]), 258: (3, [8] * 3)}, "Lab colour"),
    "ICC Lab": ({262: (3, [9])}, "Lab colour"),
    "YCbCr": ({262: (3, [6]), 277: (3, [3]), 258: (3, [8] * 3)}, "YCbCr colour"),
    "CFA": ({262: (3, [32803])}, "raw photo"),
    "LinearRaw": ({262: (3, [34892])}, "raw photo"),
    "mask": ({262: (3, [4])}, "a mask"),
    "odd colour": ({262: (3, [77])}, "kind 77"),
    "no colour": ({262: (3, [])}, "does not say"),
    "complex": ({258: (3, [64]), 339: (3, [6])}, "64-bit complex"),
    "complex integers": ({258: (3, [32]), 339: (3, [5])}, "32-bit complex"),
    "64 bits": ({258: (3, [64])}, "64-bit integers"),
    "24 bits": ({258: (3, [24])}, "24-bit integers"),
    "24-bit floats": ({258: (3, [24]), 339: (3, [3])}, "24-bit floats"),
    "signed packed": ({258: (3, [4]), 339: (3, [2])}, "4-bit signed"),
    "mixed": ({277: (3, [3]), 258: (3, [5, 6, 5]), 262: (3, [2])}, "different depths"),
    "mixed kinds": (
        {277: (3, [3]), 258: (3, [16] * 3), 339: (3, [1, 3, 1]), 262: (3, [2])},
        "different kinds",
    ),
    "volume": ({32997: (4, [5])}, "5 slices deep"),
    "no rows": ({257: (3, [0])}, "7 x 0 pixels"),
    "no columns": ({256: (3, [0])}, "0 x 5 pixels"),
    "compression": ({259: (3, [32809])}, "kind 32809"),
    "old JPEG": ({259: (3, [6])}, "kind 6"),
    "signed white": ({262: (3, [0]), 339: (3, [2])}, "0 is white"),
    "palette": ({262: (3, [3]), 320: (3, [1] * 12)}, "palette that is damaged"),
    "no palette": ({262: (3, [3])}, "palette that is damaged"),
    "palette with alpha": (
        {262: (3, [3]), 277: (3, [2]), 338: (3, [2]), 320: (3, [1] * 768), 258: (3, [8, 8])},
        "palette with more",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_lost_is_refused(name: str, tmp_path: Path) -> None:
    fields, message = REFUSED[name]
    crude(tmp_path / "a.tif", fields)
    with pytest.raises(ImageReadError, match=message):
        TiffDecoder(str(tmp_path / "a.tif"))


def test_the_crude_file_is_read(tmp_path: Path) -> None:
    pixels = noise(5, 7, 1)
    crude(tmp_path / "a.tif", {}, pixels.tobytes())
    np.testing.assert_array_equal(read(tmp_path / "a.tif")[0], pixels)


def test_bits_may_be_in_the_other_order(tmp_path: Path) -> None:
    pixels = noise(5, 7, 1)
    turned = np.packbits(np.unpackbits(pixels), bitorder="little").tobytes()
    crude(tmp_path / "a.tif", {266: (3, [2])}, turned)
    np.testing.assert_array_equal(read(tmp_path / "a.tif")[0], pixels)


def test_jpeg_of_12_bits_is_scaled(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    save(path, smooth(16, 16)[..., :1].astype("u2") * 16, compression="jpeg", bitspersample=12)
    stored = tifffile.imread(path)
    assert stored.max() > 900
    np.testing.assert_array_equal(read(path)[0][..., 0], np.round(stored * (65535 / 4095)))


@pytest.mark.parametrize(
    "fields",
    [
        {273: (4, [5000])},
        {273: (4, [2980])},
        {279: (4, [34])},
        {279: (4, [0])},
        {273: (4, [0])},
        {273: (4, [2000, 2035]), 279: (4, [35, 35])} | {278: (3, [2])},
        {277: (3, [3]), 258: (3, [8] * 3), 262: (3, [2])},
        {257: (4, [2**32 - 1])},
        {257: (4, [2**32 - 1]), 256: (4, [2**32 - 1]), 278: (4, [2**32 - 1])},
        {278: (4, [0])},
        {322: (4, [16]), 323: (4, [0]), 324: (4, [2000]), 325: (4, [256])},
        {258: (3, [16])},
        {259: (3, [8])},
        {259: (3, [7])},
        {259: (3, [5]), 317: (3, [9])},
    ],
    ids=str,
)
def test_pixels_that_are_not_there_are_not_made_up(fields: dict, tmp_path: Path) -> None:
    crude(tmp_path / "a.tif", fields)
    assert attempt(tmp_path / "a.tif") is None


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("layout", LAYOUTS[::2], ids=str)
def test_truncated_files_are_never_read(
    compression: str | None, layout: dict, tmp_path: Path
) -> None:
    path = tmp_path / "a.tif"
    dtype = "f4" if compression == "lerc" else "u1"
    save(path, smooth(40, 50).astype(dtype), compression=compression, **layout)
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        offset, count = page.dataoffsets[-1], page.databytecounts[-1]
        tag = page.tags["TileByteCounts" if layout else "StripByteCounts"]
        form = "<H" if tag.dtype == 3 else "<I"
        place = tag.valueoffset + (tag.count - 1) * struct.calcsize(form)
    assert struct.unpack_from(form, whole, place) == (count,)
    pixels, found = read(path)[0], []
    for cut in (1, 2, 5, count // 3, count // 2, count - 1):
        path.write_bytes(whole[: offset + count - cut])
        assert attempt(path) is None
        short = bytearray(whole)  # the file is long enough, but the segment is not
        struct.pack_into(form, short, place, count - cut)
        path.write_bytes(short)
        found.append(attempt(path))
    assert found[-1] is None
    for rows in found:  # what was cut off may have been no pixels
        assert rows is None or np.array_equal(rows, pixels)


@pytest.mark.parametrize("compression", ["zlib", "lzma", "lerc"])
def test_flipped_bits_are_found_where_there_are_checksums(compression: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = smooth(40, 50).astype("f4" if compression == "lerc" else "u1")
    save(path, pixels, compression=compression, rowsperstrip=20)
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        offset, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[offset + int(RNG.integers(count))] ^= 1 << int(RNG.integers(8))
        path.write_bytes(damaged)
        assert attempt(path) is None


def test_damaged_lzw_does_not_crash(tmp_path: Path) -> None:
    """What imagecodecs 2026.3 crashes on: after a clearing, a code that is not in the table."""
    path = tmp_path / "a.tif"
    pixels = noise(90, 90, 1)
    save(path, pixels, compression="lzw")
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        offset, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    bits = np.unpackbits(np.frombuffer(whole, np.uint8, count, offset))
    begins, at, entries = [], 0, 258
    while True:
        width = 9 + sum(entries >= limit for limit in (511, 1023, 2047))
        code = int("".join(map(str, bits[at : at + width])), 2)
        at += width
        entries += 1
        if code == 256:
            begins.append(at)
            entries = 257
        if code == 257:
            break
    assert len(begins) > 1
    for begin in begins:
        damaged = bits.copy()
        damaged[begin : begin + 9] = (1, 0, 0, 0, 1, 1, 0, 1, 0)
        path.write_bytes(whole[:offset] + np.packbits(damaged).tobytes() + whole[offset + count :])
        with pytest.raises(ValueError, match="LZW is damaged"):
            read(path)


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000"])
def test_streams_that_state_more_pixels_are_refused(compression: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    save(path, smooth(48, 64), compression=compression)
    data = bytearray(path.read_bytes())
    if compression == "jpeg":
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 65000, 65000)
    else:
        struct.pack_into(">2I", data, data.index(b"\xffO\xffQ") + 8, 65000, 65000)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="states that it has"):
        read(path)


def test_damage_of_any_kind_ends_soon(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    save(path, smooth(20, 30), compression="lzw", rowsperstrip=7)
    whole = path.read_bytes()
    start = int.from_bytes(whole[4:8], "little")
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(2):
            damaged[min(start + int(RNG.integers(0, 200)), len(damaged) - 1)] = int(
                RNG.integers(256)
            )
        path.write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SvfilterWarning)
            try:
                with contextlib.closing(TiffDecoder(str(path))) as decoder:
                    if decoder.memory + decoder.layout.height * decoder.layout.row_bytes < 2**26:
                        decoder.rows(0, decoder.layout.height)
                outcomes.add(True)
            except Exception:
                outcomes.add(False)
    assert outcomes == {True, False}


def leave_out(path: Path, which: int) -> None:
    """Make a segment one that GDAL leaves out: without bytes or place."""
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        for tag in file.pages[0].tags.values():
            if tag.code in (273, 279, 324, 325):
                size = tag.valuebytecount // tag.count
                at = tag.valueoffset + which * size
                data[at : at + size] = bytes(size)
    path.write_bytes(data)


@pytest.mark.parametrize("nodata", [None, "7", "300", "nan", "x"])
@pytest.mark.parametrize("layout", [{"tile": (16, 16)}, {"rowsperstrip": 16}], ids=str)
def test_segments_left_out_hold_no_data(nodata: str | None, layout: dict, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = noise(48, 16, 1)
    tags = [] if nodata is None else [(42113, 2, 0, nodata, True)]
    for compression in (None, "zlib"):
        save(path, pixels, compression=compression, extratags=tags, **layout)
        leave_out(path, 1)
        expected = pixels.copy()
        expected[16:32] = 7 if nodata == "7" else 0
        np.testing.assert_array_equal(read(path)[0], expected)


@pytest.mark.parametrize(
    ("text", "value"), [("nan", np.nan), ("-3.40282346639e+38", np.finfo("f4").min), ("1e99", 0)]
)
def test_no_data_of_floats_may_be_no_number(text: str, value: float, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = noise(48, 16, 1, "f4")
    save(path, pixels, tile=(16, 16), extratags=[(42113, 2, 0, text, True)])
    leave_out(path, 2)
    pixels[32:] = value
    np.testing.assert_array_equal(read(path)[0], pixels)


def test_pixels_that_lerc_leaves_out_are_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = RNG.normal(size=(20, 30)).astype("f4")
    pixels[3, 4] = np.nan
    save(path, pixels[..., None], compression="lerc")
    np.testing.assert_array_equal(read(path)[0][..., 0], pixels)
    known = np.ones((5, 7), bool)
    known[2, 3] = False
    data = imagecodecs.lerc_encode(noise(5, 7, 1)[..., 0], masks=known)
    crude(path, {259: (3, [34887]), 279: (4, [len(data)])}, data)
    with pytest.raises(ValueError, match="leaves pixels out"):
        read(path)


def test_pages_are_counted_without_copies_and_masks(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    mask = noise(9, 8, 1) > 99
    images = [noise(9, 8), noise(4, 5), noise(5, 4, 1, "f4"), mask, noise(6, 6)]
    kinds = [0, 1, 2, 4, 0]
    with tifffile.TiffWriter(path) as writer:
        for image, kind in zip(images, kinds, strict=True):
            planes = image if image.shape[2] == 3 else image[..., 0]
            options = {"subifds": 1} if kind == 2 else {}
            photometric = {3: "rgb"}.get(image.shape[2], "mask" if kind == 4 else "minisblack")
            writer.write(
                planes, photometric=photometric, subfiletype=kind, metadata=None, **options
            )
            if options:
                writer.write(planes[:2, :2], photometric=photometric, subfiletype=1, metadata=None)
    for page, number in enumerate((0, 2, 4)):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            pixels, decoder = read(path, page=page)
        np.testing.assert_array_equal(pixels, images[number])
        assert (decoder.pages, decoder.page) == (3, page)
        assert [str(w.message)[:25] for w in heard] == ["holds 3 smaller copies or"] * (page == 0)
    with pytest.raises(ImageReadError, match="holds 3 pages"):
        TiffDecoder(str(path), page=3)


def test_a_file_of_previews_alone_is_refused(tmp_path: Path) -> None:
    crude(tmp_path / "a.tif", {254: (4, [1])}, bytes(999))
    assert read(tmp_path / "a.tif")[1].pages == 1  # there is nothing else that it could be
    crude(tmp_path / "a.tif", {254: (4, [1]), 330: (4, [2500])}, bytes(999))
    with pytest.raises(ImageReadError, match="raw photos"):
        TiffDecoder(str(tmp_path / "a.tif"))


def test_planes_that_no_directory_describes_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    save(path, noise(5, 7, 1), description="ImageJ=1.53\nimages=4\nslices=4\n")
    with pytest.warns(SvfilterWarning, match="holds 4 images"):
        read(path)


def test_directories_in_a_circle_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(3):
            writer.write(noise(4, 4), photometric="rgb", metadata=None)
    with tifffile.TiffFile(path) as file:
        first, last = file.pages[1].offset, file.pages[2]
        link = last.offset + 2 + 12 * len(last.tags)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, link, first)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="circle"):
        TiffDecoder(str(path))


@pytest.mark.parametrize("count", [2**32 - 1, 2**28])
def test_huge_tags_take_no_memory(count: int, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    crude(path, {65000: (4, [1, 2, 3])})
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<HHI", 65000, 4, 3))
    struct.pack_into("<I", data, at + 4, count)
    path.write_bytes(data)
    with pytest.warns(SvfilterWarning, match="65000"):
        _, decoder = read(path)
    assert decoder.metadata.tags == ()
    at = data.index(struct.pack("<HHI", 273, 4, 1))
    struct.pack_into("<I", data, at + 4, count)
    path.write_bytes(data)
    with pytest.raises(ValueError):
        TiffDecoder(str(path))


SIZES = [(1, 1), (300, 5), (33, 70)]


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "zstd", "packbits"])
def test_what_is_written_is_read_by_all(compression: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    table = itertools.product(SIZES, DTYPES, LAYOUTS)
    for number, (size, dtype, layout) in enumerate(table):
        channels = (1, 3, 4)[number % 3]
        pixels = noise(*size, channels, dtype)
        colour: Colour = "grey" if channels == 1 else "rgb"
        alpha: Alpha = "straight" if channels == 4 else ""
        planar, order = number % 4 == 0 and channels > 1, "<>"[number % 2]
        with path.open("wb") as file:
            encode(
                file, pixels, colour, alpha, pieces=1 + number % 9, compression=compression,
                planar=planar, byteorder=order, predictor=number % 5 > 0,
                bigtiff=number % 7 == 0, **layout,
            )  # fmt: skip
        with tifffile.TiffFile(path) as tiff:
            assert tiff.is_bigtiff == (number % 7 == 0)
            assert tiff.byteorder == order
            found = tiff.asarray()
        found = np.moveaxis(found, 0, -1) if planar else found.reshape(pixels.shape)
        np.testing.assert_array_equal(found, pixels, strict=True)
        np.testing.assert_array_equal(read(path)[0], pixels, strict=True)
        by_pillow = dtype == "u1" or (channels == 1 and dtype in ("u2", "i2", "i4"))
        if by_pillow and not planar and (order == "<" or dtype == "u1"):
            with Image.open(path) as image:
                found = np.asarray(image).reshape(pixels.shape)
            np.testing.assert_array_equal(found, pixels)


def test_bytes_depend_on_the_pixels_alone() -> None:
    pixels = noise(101, 57, 3, "u2")
    for options in ({"rowsperstrip": 7}, {"tile": (32, 16)}, {"planar": True}):
        files = set()
        for jobs, pieces in itertools.product((1, 2, 5), (1, 7, 50, 101)):
            file = io.BytesIO()
            encode(file, pixels, jobs=jobs, pieces=pieces, **options)
            files.add(file.getvalue())
        assert len(files) == 1


def test_rows_may_change_once_they_are_written() -> None:
    pixels = noise(64, 40)
    file = io.BytesIO()
    encoder = TiffEncoder(file, jobs=2)
    encoder.begin(Layout(64, 40, 3, pixels.dtype, "rgb"), Metadata(), {"rowsperstrip": 8})
    room = np.empty((8, 40, 3), "u1")
    for top in range(0, 64, 8):
        room[:] = pixels[top : top + 8]
        encoder.write(room)
    encoder.end()
    encoder.close()
    file.seek(0)
    np.testing.assert_array_equal(tifffile.imread(file), pixels)


@pytest.mark.parametrize(
    ("options", "compression", "predictor", "rows"),
    [
        ({}, 8, 2, 2**18 // 2100),
        ({"compression": "jpeg"}, 8, 2, 2**18 // 2100),
        ({"compression": "lzw", "predictor": False}, 5, 1, 2**18 // 2100),
        ({"compression": "none"}, 1, 1, 2**18 // 2100),
        ({"rowsperstrip": 10}, 8, 2, 10),
        ({"rowsperstrip": 10**6}, 8, 2, 2**18 // 2100),
        ({"planar": True}, 8, 2, 2**18 // 700),
    ],
    ids=str,
)
def test_options_have_defaults(options: dict, compression: int, predictor: int, rows: int) -> None:
    file = io.BytesIO()
    encode(file, np.zeros((2500, 700, 3), "u1"), **options)
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        assert (page.compression, page.predictor, page.rowsperstrip) == (
            compression,
            predictor,
            rows,
        )
        assert not tiff.is_bigtiff
        assert {305, 270, 306, 282}.isdisjoint(page.tags.keys())


def test_large_files_become_bigtiff() -> None:
    layout = Layout(20000, 20000, 3, np.dtype("u1"), "rgb")
    for pages, options, big in [
        (1, {}, False), (3, {}, False), (4, {}, True), (3, {"compression": "lzw"}, True),
        (4, {"bigtiff": False}, False), (1, {"bigtiff": True}, True),
    ]:  # fmt: skip
        file = io.BytesIO()
        encoder = TiffEncoder(file, jobs=1)
        encoder.begin(layout, Metadata(), {**options, "pages": pages})
        encoder.abandon()
        assert file.getvalue()[2] == (43 if big else 42)


class Tall(io.BytesIO):
    """A file that forgets what is written, to be longer than memory."""

    def write(self, data) -> int:
        return len(data)

    def seek(self, at: int, whence: int = 0) -> int:
        return at


@pytest.mark.parametrize("size", [(2**32, 1, 1), (1, 2**32, 1), (1, 1, 2**16)])
def test_numbers_beyond_those_of_a_tiff_are_refused(size: tuple[int, int, int]) -> None:
    encoder = TiffEncoder(io.BytesIO(), jobs=1)
    with pytest.raises(ValueError, match="must be at most"):
        encoder.begin(Layout(*size, np.dtype("u1"), "bands"), Metadata(), {})


def test_a_classic_tiff_of_4_gb_is_refused() -> None:
    encoder = TiffEncoder(Tall(), jobs=1)
    layout = Layout(70000, 2**16, 1, np.dtype("u1"), "grey")
    options = {"compression": "none", "bigtiff": False, "rowsperstrip": 64}
    encoder.begin(layout, Metadata(), options)
    rows = np.zeros((1024, 2**16, 1), "u1")
    with pytest.raises(ValueError, match="4 GB"):
        for _ in range(66):
            encoder.write(rows)
    encoder.abandon()


def test_pages_follow_one_another(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pages = [noise(9, 8), noise(40, 50, 1, "f4"), noise(5, 4, 4, "u2"), noise(33, 70, 7, "i2")]
    kinds: list[tuple[Colour, Alpha]] = [
        ("rgb", ""), ("grey", ""), ("rgb", "associated"), ("bands", ""),
    ]  # fmt: skip
    for big in (False, True):
        with path.open("wb") as file:
            encoder = TiffEncoder(file, jobs=2)
            for pixels, kind in zip(pages, kinds, strict=True):
                layout = Layout(*pixels.shape, pixels.dtype, *kind)
                exif = Metadata(dpi=(len(pixels), 72))
                encoder.begin(layout, exif, {"tile": (16, 16), "bigtiff": big, "pages": 4})
                encoder.write(pixels)
                encoder.end()
            encoder.close()
        with tifffile.TiffFile(path) as tiff:
            assert len(tiff.pages) == 4
            for page, pixels in zip(tiff.pages, pages, strict=True):
                np.testing.assert_array_equal(page.asarray().reshape(pixels.shape), pixels)
        for number, pixels in enumerate(pages):
            found, decoder = read(path, page=number)
            np.testing.assert_array_equal(found, pixels)
            assert decoder.metadata.dpi == (len(pixels), 72)
            assert (decoder.layout.colour, decoder.layout.alpha) == kinds[number]


class Full(io.BytesIO):
    """A disk with room for so many bytes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data) -> int:
        if self.tell() + len(data) > self.room:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_disk_is_told() -> None:
    pixels = noise(64, 40)
    file = io.BytesIO()
    encode(file, pixels, rowsperstrip=4)
    length = len(file.getvalue())
    for room in (0, 6, 100, length // 2, length - 200, length - 1):
        with pytest.raises(OSError, match="No space left"):
            encode(Full(room), pixels, rowsperstrip=4)
    encode(Full(length), pixels, rowsperstrip=4)
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPool")]


@pytest.mark.parametrize("height", [0, 8, 63])
def test_rows_that_are_missing_are_told(height: int) -> None:
    encoder = TiffEncoder(io.BytesIO(), jobs=2)
    encoder.begin(Layout(64, 40, 3, np.dtype("u1"), "rgb"), Metadata(), {})
    encoder.write(noise(height, 40))
    with pytest.raises(ValueError, match="missing"):
        encoder.end()
    encoder.abandon()
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPool")]


@pytest.mark.parametrize(
    "rows", [noise(65, 40), noise(4, 41), noise(4, 40, 1), noise(4, 40, 3, "u2")]
)
def test_rows_that_do_not_fit_are_refused(rows: np.ndarray) -> None:
    encoder = TiffEncoder(io.BytesIO(), jobs=1)
    encoder.begin(Layout(64, 40, 3, np.dtype("u1"), "rgb"), Metadata(), {})
    with pytest.raises(ValueError):
        encoder.write(rows)
    encoder.abandon()


def test_tiles_of_other_sizes_are_refused() -> None:
    encoder = TiffEncoder(io.BytesIO(), jobs=1)
    layout = Layout(64, 40, 3, np.dtype("u1"), "rgb")
    with pytest.raises(ValueError, match="multiples of 16"):
        encoder.begin(layout, Metadata(), {"tile": (16, 20)})


GEO = [
    (33550, 12, 3, (1.0, 1.0, 0.0), True), (33922, 12, 6, (0, 0, 0, 1e5, 2e5, 0), True),
    (34735, 3, 8, (1, 1, 0, 1, 1024, 0, 1, 1), True), (34736, 12, 2, (1.5, 2.5), True),
    (34737, 2, 0, "WGS 84|", True), (42112, 2, 0, "<GDALMetadata></GDALMetadata>", True),
    (42113, 2, 0, "-9999", True),
]  # fmt: skip
PRIVATE = [
    (65001, 1, 3, b"\1\2\3", True), (65002, 2, 0, "private", True),
    (65003, 3, 3, (1, 2, 300), True), (65004, 4, 3, (1, 2, 70000), True),
    (65005, 5, 3, (1, 2, 3, 4, 5, 6), True),
    (65006, 6, 3, (-1, 2, -3), True), (65007, 7, 3, b"\1\2\3", True),
    (65008, 8, 3, (-1, 2, -300), True), (65009, 9, 3, (-1, 2, -70000), True),
    (65010, 10, 3, (-1, 2, 3, 4, -5, 6), True), (65011, 11, 3, (1.5, 2.5, 3.5), True),
    (65012, 12, 3, (1.5, 2.5, -3.5), True), (65103, 3, 1, 1, True), (65112, 12, 1, -1.5, True),
]  # fmt: skip
LONG = (65016, 16, 2, (1, 2**40), True)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tags_of_every_kind_are_carried(order: str, big: bool, tmp_path: Path) -> None:
    path, copy = tmp_path / "a.tif", tmp_path / "b.tif"
    tags = [*GEO, *PRIVATE, *([LONG] if big else [])]
    save(path, noise(9, 8), byteorder=order, bigtiff=big, extratags=tags)
    for options in ({}, {"byteorder": "<"}, {"byteorder": ">"}, {"bigtiff": True}):
        again(path, copy, **({"bigtiff": big} | options))
        with tifffile.TiffFile(path) as old, tifffile.TiffFile(copy) as new:
            for code, *_ in tags:
                before, after = old.pages[0].tags[code], new.pages[0].tags[code]
                assert (after.dtype, after.count) == (before.dtype, before.count)
                assert after.value == before.value
    if big:
        with pytest.warns(SvfilterWarning, match="65016"):
            again(path, copy, bigtiff=False)
        with tifffile.TiffFile(copy) as new:
            assert LONG[0] not in new.pages[0].tags
            assert 65004 in new.pages[0].tags


def test_the_storage_of_the_old_file_is_not_carried(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.tif", tmp_path / "b.tif"
    stored = {
        280: (3, [0]), 281: (3, [255]), 288: (4, [1]), 289: (4, [1]), 293: (4, [0]),
        320: (3, [1] * 6),
        513: (4, [9]), 514: (4, [9]), 531: (3, [1]), 33628: (4, [8]), 37724: (1, [1, 2, 3, 4, 5]),
        34665: (4, [0]),
    }  # fmt: skip
    crude(path, stored | {65000: (3, [7])})
    with pytest.warns(SvfilterWarning, match="34665 is damaged"):
        again(path, copy)
    with tifffile.TiffFile(copy) as file:
        tags = set(file.pages[0].tags.keys())
    assert tags == {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 65000}


ABOUT = [
    "-Make=Canon", "-Model=EOS", "-Artist=J", "-Copyright=me", "-ExposureTime=1/125", "-ISO=200",
    "-FNumber=2.8", "-DateTimeOriginal=2020:01:01 00:00:00", "-GPSLatitude=47.5",
    "-GPSLatitudeRef=N", "-GPSLongitude=8.25", "-GPSLongitudeRef=E", "-InteropIndex=R98",
    "-XPTitle=title", "-UserComment=hello", "-LensModel=L", "-LensInfo=1 2 3 4",
    "-EXIF:ModifyDate=2021:01:01 00:00:00",
]  # fmt: skip
MORE = [
    "-IPTC:Keywords=one", "-IPTC:Keywords=two", "-XMP:Title=title", "-Photoshop:URL=http://x",
    "-DocumentName=d", "-PageName=p", "-HostComputer=h", "-Orientation#=1", "-Rating=3",
]  # fmt: skip


def tell(path: Path, *about: str) -> None:
    command = [EXIFTOOL, "-q", "-overwrite_original", *about, str(path)]
    subprocess.run(command, check=True, capture_output=True)


@needs_exiftool
@pytest.mark.parametrize("order", ["<", ">"])
def test_exiftool_finds_the_same_in_a_copy(order: str, tmp_path: Path) -> None:
    path, copy = tmp_path / "a.tif", tmp_path / "b.tif"
    profile = b"\0\0\0\x84" + bytes(32) + b"acsp" + bytes(92)
    save(
        path, noise(9, 8), byteorder=order, compression="zlib", extratags=GEO + PRIVATE,
        resolution=(300, 200.5), description="what it shows", datetime="2020:01:02 03:04:05",
        iccprofile=profile, software="some",
    )  # fmt: skip
    tell(path, *ABOUT, *MORE)
    before = by_exiftool(path)
    assert len(before) > 60
    for other in (order, "<>".replace(order, "")):
        decoder = again(path, copy, byteorder=other)
        assert by_exiftool(copy) == before
    assert decoder.metadata.icc_profile == profile
    assert decoder.metadata.exif[:2] == {"<": b"II", ">": b"MM"}[order]
    assert b"keywords" not in decoder.metadata.exif
    assert decoder.metadata.iptc.startswith(b"\x1c\x02\x19\0\3one\x1c\x02\x19\0\3two")
    assert decoder.metadata.xmp.startswith(b"<?xpacket")
    assert decoder.metadata.photoshop.startswith(b"8BIM")


@needs_exiftool
@pytest.mark.parametrize("order", ["II", "MM"])
def test_the_exif_of_a_jpeg_is_carried(order: str, tmp_path: Path) -> None:
    path, copy = tmp_path / "a.jpg", tmp_path / "b.tif"
    Image.new("RGB", (8, 9)).save(path)
    tell(path, f"-ExifByteOrder={order}", *ABOUT)
    with Image.open(path) as image:
        exif = image.info["exif"].removeprefix(b"Exif\0\0")
    before = {k: v for k, v in by_exiftool(path).items() if not k.startswith(("JFIF", "XMP"))}
    del before["IFD0:YCbCrPositioning"]  # which is of the JPEG
    for options in ({}, {"byteorder": ">" if order == "II" else "<"}):
        with copy.open("wb") as file:
            encode(file, noise(9, 8), metadata=Metadata(exif=exif), **options)
        assert copy.read_bytes()[:2] == {"<": b"II", ">": b"MM"}.get(
            options.get("byteorder"), order.encode()
        )
        after = by_exiftool(copy)
        assert before.items() <= after.items()
        assert sum(key.startswith(("ExifIFD", "GPS", "InteropIFD")) for key in after) > 15


def test_exif_is_carried_into_a_bigtiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for order in "<>":
        fields = [
            (271, 2, 4, b"abc\0"),
            (34665, 4, 1, [(33434, 5, 1, struct.pack(order + "II", 1, 125)),
                           (40965, 4, 1, [(1, 2, 4, b"R98\0")])]),
            (34853, 4, 1, [(1, 2, 2, b"N\0")]),
        ]  # fmt: skip
        head = {"<": b"II*\0\x08\0\0\0", ">": b"MM\0*\0\0\0\x08"}[order]
        exif = head + write_directory(fields, 8, order)
        with path.open("wb") as file:
            encode(file, noise(9, 8), metadata=Metadata(exif=exif), bigtiff=True)
        with tifffile.TiffFile(path) as tiff:
            tags = tiff.pages[0].tags
            assert tags[34665].value["ExposureTime"] == (1, 125)
            assert tags[34853].value["GPSLatitudeRef"] == "N"
        assert read(path)[1].metadata.exif == exif


@pytest.mark.parametrize(
    ("resolution", "unit", "dpi"),
    [
        ((300, 200), 2, (300, 200)),
        ((100, 50), 3, (254, 127)),
        ((300, 200), 1, None),
        ((72.5, 1 / 3), 2, (72.5, 1 / 3)),
        ((0, 200), 2, None),
    ],
)
def test_resolutions_are_in_dots_per_inch(resolution, unit: int, dpi, tmp_path: Path) -> None:
    path, copy = tmp_path / "a.tif", tmp_path / "b.tif"
    save(path, noise(9, 8), resolution=resolution, resolutionunit=unit)
    decoder = again(path, copy)
    assert decoder.metadata.dpi == (dpi and pytest.approx(dpi, rel=1e-6))
    assert decoder.metadata.exif is None
    with tifffile.TiffFile(copy) as tiff:
        tags = tiff.pages[0].tags
        assert (282 in tags) == (dpi is not None)
        if dpi:
            assert tags[296].value == 2
            assert tags[282].value[0] / tags[282].value[1] == pytest.approx(dpi[0], rel=1e-6)


def test_nothing_is_said_of_a_file_that_says_nothing(tmp_path: Path) -> None:
    save(tmp_path / "a.tif", noise(9, 8), software=False, resolutionunit=1)
    _, decoder = read(tmp_path / "a.tif")
    assert decoder.metadata == Metadata()
    assert decoder.orientation == 1


def test_damage_beside_the_pixels_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = noise(5, 7, 1)
    crude(path, {65000: (4, [1, 2, 3]), 65001: (4, [4, 5])}, pixels.tobytes())
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<HHI", 65000, 4, 3))
    struct.pack_into("<I", data, at + 8, 10**6)
    path.write_bytes(data)
    with pytest.warns(SvfilterWarning, match="65000"):
        found, decoder = read(path)
    np.testing.assert_array_equal(found, pixels)
    assert [tag[0] for tag in decoder.metadata.tags] == [65001]
