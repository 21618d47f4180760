"""What files say beside their pixels: kept byte for byte, but for what turning makes wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import shutil
import struct
import subprocess
import warnings
import zlib
from contextlib import suppress

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms
from PIL.JpegImagePlugin import zigzag_index

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.metadata import Metadata, exif, jpeg, photoshop, png, xmp
from svfilter.images.metadata.chunks import SIGNATURE
from svfilter.images.metadata.directory import SIZES, read_directory, swap, write_directory

RNG = np.random.default_rng(11)
ORDERS = ("<", ">")
PIXELS = RNG.integers(0, 256, (7, 13, 3), dtype=np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
THUMBNAIL = b"\xff\xd8\xff" + bytes(range(1, 256)) + b"\xff\xd9"
CANONS = (6, 2, b"IMG:a camera\0"), (9, 2, b"Its owner\0")


def fields_of(order, *entries):
    """Fields from (tag, kind, a number, bytes or fields)."""
    letters = {1: "B", 3: "H", 4: "I", 8: "h"}
    for tag, kind, given in entries:
        is_number = isinstance(given, int)
        value = struct.pack(order + letters[kind], given) if is_number else given
        yield tag, kind, 1 if isinstance(value, list) else len(value) // SIZES[kind], value


def directory(order, at, *entries, following=0):
    return write_directory(list(fields_of(order, *entries)), at, order, following=following)


def head(order):
    return {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)


def pad(data):
    return data + b"\0" * (len(data) % 2)


def block_of(order="<", orientation=6, kind=3, behind=b"", thumbnail=THUMBNAIL):
    """EXIF of a camera: its maker's note has offsets from the block's start; and a thumbnail."""
    maker = bytes(range(len(directory(order, 8, *CANONS))))
    inner = [(0x829A, 5, struct.pack(order + "II", 1, 60)), (0x927C, 7, maker)]
    inner += [(0xA002, 4, 4000), (0xA003, 3, 3000)]
    gps = [(1, 2, b"N\0"), (2, 5, struct.pack(order + "6I", 51, 1, 30, 1, 0, 1))]
    first = [
        (0x010F, 2, b"Canon\0"),
        (0x0112, kind, orientation),
        (0x011A, 5, struct.pack(order + "II", 300, 1)),
        (0x011B, 5, struct.pack(order + "II", 240, 1)),
        (0x8769, 4, list(fields_of(order, *inner))),
        (0x8825, 4, list(fields_of(order, *gps))),
    ]
    at = 8 + len(pad(directory(order, 8, *first)))
    block = head(order) + pad(directory(order, 8, *first, following=at))
    block = block.replace(maker, directory(order, block.index(maker), *CANONS))
    thumb = [(0x0103, 3, 6), (0x0112, 3, orientation), (0x0201, 4, 0), (0x0202, 4, len(thumbnail))]
    thumb += [(0x011A, 5, struct.pack(order + "II", 72, 1))]
    thumb[2] = (0x0201, 4, at + len(directory(order, at, *thumb)))
    return block + directory(order, at, *thumb) + thumbnail + behind


# Directories.


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("big", [False, True])
def test_directory_returns_what_was_written(order, big):
    child = [(1, 3, 1, struct.pack(order + "H", 7)), (2, 7, 11, b"much longer")]
    pointer = 18 if big else 13
    fields = [(9, 2, 3, b"abc"), (300, pointer, 1, child), (5, 12, 1, bytes(range(8)))]
    fields += [(6, 2, 5, b"abcd\0"), (7, 4, 0, b"")]
    block = bytes(16) + write_directory(fields, 16, order, following=8, big=big)
    entries, following = read_directory(block, 16, order, big=big)
    assert following == 8
    assert [entry.tag for entry in entries] == [5, 6, 7, 9, 300]
    by_tag = {entry.tag: entry for entry in entries}
    for tag, kind, count, value in fields[:1] + fields[2:]:
        entry = by_tag[tag]
        assert (entry.kind, entry.count, entry.data) == (kind, count, value)
        assert block[entry.place : entry.place + len(value)] == value
    assert all(entry.place % 2 == 0 for entry in entries)
    (offset,) = struct.unpack(order + ("Q" if big else "I"), by_tag[300].data)
    inside, _ = read_directory(block, offset, order, big=big)
    assert [(e.tag, e.kind, e.count, e.data) for e in inside] == child


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("big", [False, True])
def test_directory_is_a_tiffs_to_an_independent_reader(order, big):
    heads = {False: head(order), True: head(order)[:2] + struct.pack(order + "HHHQ", 43, 8, 0, 24)}
    start = 24 if big else 8
    entries = [(256, 3, 5), (257, 3, 3), (258, 3, 8), (262, 3, 1), (273, 4, 1000), (277, 3, 1)]
    entries += [(278, 3, 3), (279, 4, 15), (270, 2, b"not very short\0"), (259, 3, 1)]
    data = heads[big].ljust(start, b"\0")
    data += write_directory(list(fields_of(order, *entries)), start, order, big=big)
    pixels = bytes(range(15))
    with tifffile.TiffFile(io.BytesIO(data.ljust(1000, b"\0") + pixels)) as file:
        assert file.is_bigtiff == big
        assert file.pages[0].tags[270].value == "not very short"
        assert file.pages[0].asarray().tobytes() == pixels


@pytest.mark.parametrize("kind", SIZES)
def test_swap_turns_every_word_of_a_value(kind):
    words = {3: "hH", 8: "hh", 4: "I", 5: "I", 9: "i", 10: "i", 11: "f", 12: "d", 13: "I"}
    letter = words.get(kind, "q" if kind > 13 else "B")[-1]
    data = RNG.bytes(SIZES[kind] * 3)
    count = len(data) // struct.calcsize(letter)
    expected = struct.pack(f">{count}{letter}", *struct.unpack(f"<{count}{letter}", data))
    assert swap(kind, data) == expected
    assert swap(kind, expected) == data


@pytest.mark.parametrize(
    ("fields", "offset"),
    [
        ([(1, 3, 1, b"abc")], 8),
        ([(1, 3, 2, b"ab")], 8),
        ([(1, 3, 1, b"ab")], 9),
        ([(1, 3, 1, [])], 8),
    ],
    ids=["too long", "too short", "odd offset", "child in too few bytes"],
)
def test_directory_refuses_to_write_what_cannot_be_read(fields, offset):
    with pytest.raises(ValueError, match=r"as long as|even offset"):
        write_directory(fields, offset, "<")


@pytest.mark.parametrize(
    ("block", "loose"),
    [
        (directory("<", 8, (1, 2, b"longer value"))[:-1], []),
        (directory("<", 8, (1, 3, 5)).replace(b"\3\0\1", b"\x63\0\1"), []),
        (directory("<", 8, (1, 3, 5), following=999), [1]),
        (directory("<", 8, (1, 3, 5))[:-1], [1]),
    ],
    ids=["value", "kind", "following", "no link"],
)
def test_damaged_directory_is_refused_or_read_as_far_as_it_makes_sense(block, loose):
    block = bytes(8) + block
    with pytest.raises(ValueError, match=r"outside|beyond"):
        read_directory(block, 8, "<")
    entries, following = read_directory(block, 8, "<", strict=False)
    assert [entry.tag for entry in entries] == loose
    assert following == 0


@pytest.mark.parametrize("offset", [0, 7, 13, 2**40])
def test_directory_outside_its_block_is_refused(offset):
    with pytest.raises(ValueError, match=r"outside|beyond"):
        read_directory(b"\0" * 7 + b"\xff" * 7, offset, "<", strict=False)


def test_directory_of_more_entries_than_there_are_tags_is_refused():
    block = bytes(8) + struct.pack("<Q", 2**16 + 1) + bytes(20 * (2**16 + 2))
    with pytest.raises(ValueError, match="65537 entries"):
        read_directory(block, 8, "<", big=True, strict=False)


def test_overlapping_values_cannot_fill_the_memory():
    entry = struct.pack("<HHII", 1, 7, 100_000, 8)
    block = bytes(8) + struct.pack("<H", 10_000) + 10_000 * entry + bytes(4)
    with pytest.raises(ValueError, match="overlap"):
        read_directory(block, 8, "<", strict=False)


# EXIF.


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", [1, 3, 4, 8])
@pytest.mark.parametrize(("stated", "expected"), [(n, n if 1 <= n <= 8 else 1) for n in range(10)])
def test_orientation_is_read_of_any_integer_kind(order, kind, stated, expected):
    block = block_of(order, stated, kind)
    assert exif.orientation(block) == expected
    assert exif.orientation(exif.upright(block, turned=False)) == 1


@pytest.mark.parametrize(
    "block", [b"", b"II*\0", b"II*\0\xff\0\0\0", b"no EXIF at all", head("<") + bytes(6)]
)
def test_orientation_is_the_default_where_there_is_none(block):
    assert exif.orientation(block) == 1
    assert exif.orientation(block, default=5) == 5


def record(block, offset, tag, order):
    """Where in a directory the record of a tag is."""
    (count,) = struct.unpack_from(order + "H", block, offset)
    places = range(offset + 2, offset + 2 + 12 * count, 12)
    return next(at for at in places if struct.unpack_from(order + "H", block, at)[0] == tag)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("turned", [False, True])
def test_upright_changes_nothing_but_what_it_must(order, turned):
    block = block_of(order)
    _, thumbnails = read_directory(block, 8, order)
    expected = bytearray(block[:thumbnails])  # they are at the end
    struct.pack_into(order + "H", expected, record(block, 8, 0x0112, order) + 8, 1)
    struct.pack_into(order + "I", expected, 8 + 2 + 6 * 12, 0)  # the link to them
    if turned:
        (inner,) = struct.unpack_from(order + "I", block, record(block, 8, 0x8769, order) + 8)
        for offset, one, other in ((8, 0x011A, 0x011B), (inner, 0xA002, 0xA003)):
            a, b = (record(block, offset, tag, order) + 2 for tag in (one, other))
            expected[a : a + 10], expected[b : b + 10] = block[b : b + 10], block[a : a + 10]
    assert exif.upright(block, turned=turned) == expected
    assert exif.upright(bytes(expected), turned=False) == expected


@pytest.mark.parametrize("behind", [b"\0", b"\0\0\0", b"\0\0\0\0", b"more of the maker's"])
def test_thumbnail_becomes_zeros_where_something_is_behind_it(behind):
    block = block_of("<", behind=behind)
    after = exif.upright(block, turned=False)
    _, thumbnails = read_directory(block, 8, "<")
    if len(behind) < 4:  # padding
        assert len(after) == thumbnails
    else:
        assert after[thumbnails:] == bytes(len(block) - thumbnails - len(behind)) + behind


def test_values_that_the_picture_shares_with_its_thumbnail_stay():
    resolution = struct.pack("<II", 300, 1)
    first = directory("<", 8, (0x011A, 5, resolution), (0x0131, 2, b"shared text\0"))
    link = 8 + len(first)
    entries, _ = read_directory(bytes(8) + first, 8, "<")
    record = struct.Struct("<HHII")
    shared = b"".join(record.pack(e.tag, e.kind, e.count, e.place) for e in entries)
    block = head("<") + first[:26] + struct.pack("<I", link) + first[30:]
    after = exif.upright(block + struct.pack("<H", 2) + shared + bytes(4), turned=False)
    assert after == head("<") + first


def test_values_in_place_of_a_link_are_not_taken_for_a_thumbnail():
    entry = struct.pack("<HHIIHHIHH", 0x0131, 2, 8, 34, 0x0112, 3, 1, 6, 0)
    block = head("<") + struct.pack("<H", 2) + entry + b"\x08\0\0\0ware" + bytes(9)
    assert exif.upright(block, turned=False) == block.replace(b"\x06\0\0\0", b"\x01\0\0\0", 1)


def test_thumbnails_are_lost_however_many_and_however_they_are_stored():
    order, strip = "<", b"strip of old pixels!"
    first = [(0x0112, 3, 3), (0x010F, 2, b"Acme\0")]
    at = 8 + len(pad(directory(order, 8, *first)))
    block = head(order) + pad(directory(order, 8, *first, following=at))
    for following in (1, 0):
        entries = [(0x0111, 4, 0), (0x0117, 4, len(strip))]
        pixels = at + len(directory(order, at, *entries))
        entries[0] = (0x0111, 4, pixels)
        block += directory(order, at, *entries, following=following * (pixels + 20)) + strip
        at = pixels + 20
    after = exif.upright(block, turned=False)
    assert len(after) == 8 + len(pad(directory(order, 8, *first)))
    assert b"old" not in exif.upright(block + b"behind it", turned=False)


def test_thumbnail_that_claims_the_whole_block_leaves_the_rest():
    first = [(0x0112, 3, 6)]
    at = 8 + len(directory("<", 8, *first))
    block = head("<") + directory("<", 8, *first, following=at)
    block += directory("<", at, (0x0201, 4, 0), (0x0202, 4, 1000))
    expected = head("<") + directory("<", 8, (0x0112, 3, 1))
    assert exif.upright(block, turned=False) == expected


def test_endless_thumbnails_are_refused():
    links = b"".join(struct.pack("<HI", 0, 14 + 6 * n) for n in range(40))
    with pytest.raises(ValueError, match="more than"):
        exif.upright(head("<") + links, turned=False)
    loop = head("<") + struct.pack("<HIHI", 0, 14, 0, 14)
    with pytest.raises(ValueError, match="more than"):
        exif.upright(loop, turned=False)


def test_damaged_exif_and_xmp_are_left_out_with_a_warning():
    prefixes = b" ".join(b'xmlns:t%d="http://ns.adobe.com/tiff/1.0/"' % n for n in range(20))
    with pytest.warns(SvfilterWarning) as heard:
        assert exif.carried(head("<") + b"\xff\xff", prefixes) == (None, None, 1)
    assert [str(w.message).split(" is ")[0] for w in heard] == ["XMP", "EXIF"]


@pytest.mark.parametrize(
    ("block", "packet", "expected"),
    [
        (block_of("<", 6), b" tiff:Orientation='3'", 6),
        (block_of("<", 0), b" tiff:Orientation='3'", 3),
        (None, b" tiff:Orientation='3'", 3),
        (block_of("<", 1), b" tiff:Orientation='3'", 1),
        (None, None, 5),
    ],
    ids=["both", "senseless", "only XMP", "EXIF says upright", "default"],
)
def test_orientation_of_exif_counts_before_that_of_xmp(block, packet, expected):
    after, text, orientation = exif.carried(block, packet, default=5)
    assert orientation == expected
    assert text in (None, b" tiff:Orientation='1'")
    assert after is None or exif.orientation(after, default=9) in (1, 9)


# XMP.

DECLARED = (
    b'<rdf:Description xmlns:t="http://ns.adobe.com/tiff/1.0/"'
    b" xmlns:e='http://ns.adobe.com/exif/1.0/' xmlns:xap=\"http://ns.adobe.com/xap/1.0/\"%b"
    b"</rdf:Description>"
)
EDITS = {
    "attribute": (b' t:Orientation="6">', b' t:Orientation="1">', b' t:Orientation="1">'),
    "single quotes": (b" t:Orientation = '6' >", *2 * [b" t:Orientation = '1' >"]),
    "element": (
        b"><t:Orientation> 8\n</t:Orientation>",
        *2 * [b"><t:Orientation> 1\n</t:Orientation>"],
    ),
    "usual prefix": (b' tiff:Orientation="6">', *2 * [b' tiff:Orientation="1">']),
    "another namespace": (b' my:Orientation="6">', *2 * [b' my:Orientation="6">']),
    "sizes": (
        b' t:ImageWidth="5" t:ImageLength="7"><e:PixelXDimension>5</e:PixelXDimension>',
        b' t:ImageWidth="5" t:ImageLength="7"><e:PixelXDimension>5</e:PixelXDimension>',
        b' t:ImageLength="5" t:ImageWidth="7"><e:PixelYDimension>5</e:PixelYDimension>',
    ),
    "thumbnails": (
        b">a<xap:Thumbnails>\n<rdf:Alt>old</rdf:Alt></xap:Thumbnails >b<xap:Thumbnails/>c",
        *2 * [b">abc"],
    ),
    "unclosed": (b"><xap:Thumbnails>" * 9, *2 * [b"><xap:Thumbnails>" * 9]),
    "pantry": (
        b'><xmpMM:Pantry> t:Orientation="6" t:ImageWidth</xmpMM:Pantry> t:Orientation="6"',
        *2 * [b'><xmpMM:Pantry> t:Orientation="6" t:ImageWidth</xmpMM:Pantry> t:Orientation="1"'],
    ),
    "not UTF-8": (b" t:Orientation='6'>\xe9\0\xff", *2 * [b" t:Orientation='1'>\xe9\0\xff"]),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "turned"), EDITS.values(), ids=EDITS)
def test_xmp_changes_nothing_but_what_it_must(before, after, turned):
    assert xmp.upright(DECLARED % before, turned=False) == DECLARED % after
    assert xmp.upright(DECLARED % before, turned=True) == DECLARED % turned


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_xmp_of_any_encoding_becomes_utf8(encoding):
    text = "<x:xmpmeta> \u00e9 <t tiff:Orientation='6'/></x:xmpmeta>"
    packet = text.encode(encoding)
    assert xmp.orientation(packet) == 6
    assert xmp.upright(packet, turned=False).decode() == text.replace("6", "1")


@pytest.mark.parametrize("stated", [b"0", b"9", b"16", b"", b"x", b"-6"])
def test_senseless_orientation_of_xmp_is_the_default(stated):
    assert xmp.orientation(b"<a tiff:Orientation='%b'>" % stated, default=4) == 4


@pytest.mark.parametrize(
    "packet",
    [b" tiff:Orientation", b" tiff:Orientation=' ", b"<tiff:Orientation ", b"<xmp:Thumbnails>",
     b" xmlns:x=", b"</xmp:Thumbnails", b"<xmp:Thumbnails", b" <tiff:Orientation>1"],
)  # fmt: skip
def test_xmp_of_one_thing_repeated_takes_no_time_to_speak_of(packet):
    xmp.upright((packet * 200_000)[:1_000_000], turned=True)
    xmp.upright(packet + b" " * 1_000_000, turned=True)


# Photoshop's resources.


def resource(code, data, name=b"", signature=b"8BIM"):
    named = pad(bytes([len(name)]) + name)
    return signature + struct.pack(">H", code) + named + struct.pack(">I", len(data)) + pad(data)


IPTC = b"\x1c\2\0\0\2\0\4\x1c\2\x78\0\5words"
DIGEST = resource(1061, hashlib.md5(IPTC).digest())
RESOLUTION = resource(1005, struct.pack(">IHHIHH", 300 << 16, 1, 1, 300 << 16, 1, 1))
OLD = [resource(code, b"old pixels") for code in (1033, 1036)]
OTHERWISE = [resource(code, b"elsewhere") for code in (1039, 1058, 1059, 1060)]
OTHER = [resource(2000, b"path", name=b"x" * n, signature=b"MeSa") for n in range(3)]


@pytest.mark.parametrize("padding", [b"", b"\0", b"\0" * 7])
def test_photoshop_is_split_and_joined(padding):
    kept = [RESOLUTION, *OTHER, DIGEST]
    resources = b"".join([RESOLUTION, *OLD, *OTHER, resource(1028, IPTC), *OTHERWISE, DIGEST])
    assert photoshop.split(resources + padding) == (IPTC, b"".join(kept))
    joined = photoshop.join(IPTC, b"".join(kept))
    assert joined == resource(1028, IPTC) + b"".join(kept)
    assert photoshop.split(joined) == (IPTC, b"".join(kept))


@pytest.mark.parametrize("iptc", [None, IPTC])
@pytest.mark.parametrize("others", [None, RESOLUTION])
def test_photoshop_of_a_part_alone_is_split_and_joined(iptc, others):
    assert photoshop.split(photoshop.join(iptc, others)) == (iptc, others)


def test_photoshops_last_resource_may_lack_its_padding_or_end_in_zeros():
    assert photoshop.split(resource(7, b"odd")[:-1]) == (None, resource(7, b"odd"))
    assert photoshop.split(resource(7, bytes(9))) == (None, resource(7, bytes(9)))


@pytest.mark.parametrize("resources", [RESOLUTION[:-1], RESOLUTION[:9], b"8BIX" + RESOLUTION[4:]])
def test_damaged_resources_are_refused(resources):
    with pytest.raises((ValueError, struct.error)):
        photoshop.split(resources)


# PNG.

SIZE = (13, 7)
HEADER = struct.pack(">IIBBBBB", *SIZE, 8, 2, 0, 0, 0)
BLOCK, UPRIGHT = block_of("<"), exif.upright(block_of("<"), turned=True)
PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/' \xc3\xa9/>"


def chunk(name, data=b""):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(*before, behind=(), header=HEADER):
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in PIXELS))
    chunks = [(b"IHDR", header), *before, (b"IDAT", rows[:99]), (b"IDAT", rows[99:]), *behind]
    return SIGNATURE + b"".join(chunk(*c) for c in chunks) + chunk(b"IEND")


def read_png(*before, **options):
    return png.read(io.BytesIO(png_of(*before, **options)))


def raw(kind, data, width=72):
    """A chunk as ImageMagick writes it."""
    digits = data.hex()
    lines = "".join(digits[n : n + width] + "\n" for n in range(0, len(digits), width))
    text = zlib.compress(f"\n{kind}\n{len(data):8}\n{lines}".encode())
    return b"zTXt", b"Raw profile type " + kind.encode() + b"\0\0" + text


def packed(name, text):
    return name + b"\0\0" + zlib.compress(text)


XMP = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET)
RESOURCES = resource(1028, IPTC) + RESOLUTION
SAID = {
    "profile": ((b"iCCP", packed(b"My profile", PROFILE)), {"icc_profile": PROFILE}),
    "exif": ((b"eXIf", BLOCK), {"exif": UPRIGHT}),
    "exif with a head": ((b"eXIf", b"Exif\0\0" + BLOCK), {"exif": UPRIGHT}),
    "xmp": (XMP, {"xmp": PACKET}),
    "xmp deflated": (
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0x\0y\0" + zlib.compress(PACKET)),
        {"xmp": PACKET},
    ),
    "dpi": (
        (b"pHYs", struct.pack(">IIB", 2835, 11811, 1)),
        {"dpi": (2835 * 0.0254, 11811 * 0.0254)},
    ),
    "raw exif": (raw("exif", b"Exif\0\0" + BLOCK), {"exif": UPRIGHT}),
    "raw APP1": (raw("APP1", BLOCK), {"exif": UPRIGHT}),
    "raw APP1 xmp": (raw("APP1", xmp.HEADER + PACKET), {"xmp": PACKET}),
    "raw xmp": (raw("xmp", PACKET), {"xmp": PACKET}),
    "raw icc": (raw("icc", PROFILE), {"icc_profile": PROFILE}),
    "raw iptc": (raw("iptc", IPTC), {"iptc": IPTC}),
    "raw resources": (raw("iptc", RESOURCES), {"iptc": IPTC, "photoshop": RESOLUTION}),
    "raw 8bim": (raw("8bim", RESOLUTION), {"photoshop": RESOLUTION}),
    "comment": ((b"tEXt", b"Comment\0caf\xe9"), {"comments": ("caf\u00e9",)}),
    "deflated comment": ((b"zTXt", packed(b"comment", b"caf\xe9")), {"comments": ("caf\u00e9",)}),
    "utf-8 comment": ((b"iTXt", b"Comment\0\0\0fr\0\0\xe2\x82\xac"), {"comments": ("\u20ac",)}),
}


@pytest.mark.parametrize(("given", "expected"), SAID.values(), ids=SAID)
@pytest.mark.parametrize("late", [False, True])
def test_png_says_what_its_chunks_do(given, expected, late):
    if late and given[0] in (b"iCCP", b"pHYs"):
        expected = {}
    header = read_png(*[given] * (not late), behind=[given] * late)
    stays = expected and (given[0] == b"iCCP" or "comments" in expected)
    assert header.metadata == Metadata(**expected, native=(given,) if stays else ())
    assert header.orientation == (6 if "exif" in expected else 1)
    # All but the place where ImageMagick put it is written as it was.
    written = png.chunks(header.metadata, native=True)
    assert written == [given] * bool(stays) or not stays
    again = read_png(*written)
    native = again.metadata.native if given[0] == b"zTXt" else header.metadata.native
    assert again.metadata == dataclasses.replace(header.metadata, native=native)
    assert again.orientation == 1


def test_png_describes_its_pixels():
    chunks = [(b"PLTE", bytes(range(6))), (b"tRNS", b"\1\2")]
    header = read_png(*chunks, header=struct.pack(">IIBBBBB", 300, 5, 4, 3, 0, 0, 1))
    assert (header.width, header.height, header.bits, header.colour_type) == (300, 5, 4, 3)
    assert (header.palette, header.transparency) == (bytes(range(6)), b"\1\2")
    assert header.interlaced
    assert header.complete
    assert not header.animated
    assert read_png((b"acTL", bytes(8))).animated
    assert not read_png(behind=[(b"acTL", bytes(8))]).animated


def test_png_is_incomplete_wherever_it_is_cut():
    data = png_of((b"tEXt", b"a\0b"))
    second, end = data.rindex(b"IDAT") - 4, len(data) - 12
    assert png.read(io.BytesIO(data + b"behind it")).complete
    for length in (*range(second, second + 12), *range(end, len(data))):
        assert not png.read(io.BytesIO(data[:length])).complete
    for length in (*range(second), *range(second + 12, end)):
        with pytest.raises((ValueError, struct.error)):
            png.read(io.BytesIO(data[:length]))


@pytest.mark.parametrize("place", [0, 50, -1])
def test_damaged_pixels_of_a_png_are_noticed(place: int):
    data = bytearray(png_of())
    start = data.index(b"IDAT") + 4
    end = data.index(b"IEND") - 4
    data[range(start, end)[place]] ^= 1
    with pytest.raises(ValueError, match="wrong checksum|cut"):
        png.read(io.BytesIO(bytes(data)))


KEPT = [
    (b"gAMA", b"\0\0\xb1\x8f"), (b"cHRM", bytes(32)), (b"sRGB", b"\0"), (b"cICP", b"\1\1\0\1"),
    (b"mDCV", bytes(24)), (b"cLLI", bytes(8)), (b"sPLT", b"x\0\x08"), (b"pCAL", b"x"),
    (b"sCAL", b"\0011\0001"), (b"oFFs", bytes(9)), (b"sTER", b"\0"), (b"tIME", bytes(7)),
    (b"pHYs", struct.pack(">IIB", 2, 1, 0)), (b"tEXt", b"Title\0x"), (b"zTXt", b"broken"),
    (b"vpAg", b"of ImageMagick"), (b"tEXt", b"Raw profile type generic\0x"),
]  # fmt: skip
DROPPED = [
    (b"sBIT", b"\5\5\5"), (b"bKGD", bytes(6)), (b"hIST", b"\0\0"), (b"iDOT", bytes(28)),
    (b"orNT", b"\6"),
]  # fmt: skip


def test_png_keeps_what_can_stay_in_a_legal_order():
    texts = [c for c in KEPT if c[0] in (b"tEXt", b"zTXt", b"tIME")]
    header = read_png(*KEPT[::-1], *DROPPED, behind=texts)
    assert list(header.metadata.native) == KEPT[::-1] + texts
    written = png.chunks(header.metadata, native=True)
    assert sorted(written) == sorted(header.metadata.native)
    colour = [name in (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI") for name, _ in written]
    assert colour == [True] * 6 + [False] * (len(written) - 6)
    assert png.chunks(header.metadata, native=False) == []


def test_png_drops_what_counts_only_before_the_pixels():
    assert read_png(behind=KEPT[:11] + KEPT[12:13]).metadata == Metadata()


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        ((b"caBX", b"c2pa"), "content credentials"),
        ((b"mkBS", b"of Fireworks"), "chunk mkBS, which says that it depends on the pixels"),
        ((b"iCCP", b"x\0\0not deflated"), "iCCP is damaged"),
        ((b"iCCP", packed(b"x", b"profile")[:-5]), "iCCP is damaged"),
        ((b"eXIf", b"no EXIF"), "EXIF is damaged"),
        ((b"pHYs", b"short"), "pHYs is damaged"),
        ((b"zTXt", b"Comment"), "zTXt is damaged"),
        ((b"iTXt", b"Comment\0\0\0"), "iTXt is damaged"),
        (raw("iptc", b"8BIM no resource at all"), "zTXt is damaged"),
        ((b"zTXt", packed(b"Raw profile type exif", b"\nexif\n 9\n00\n")), "zTXt is damaged"),
        ((b"zTXt", packed(b"Raw profile type exif", b"\nexif\n 1\nxx\n")), "zTXt is damaged"),
    ],
)
def test_png_warns_of_what_it_leaves_out(given, warning):
    with pytest.warns(SvfilterWarning, match=warning):
        assert read_png(given).metadata == Metadata()


def test_png_says_that_it_says_a_thing_twice():
    other = (b"eXIf", block_of(">", 1))
    assert read_png((b"eXIf", BLOCK), raw("exif", BLOCK)).metadata == Metadata(exif=UPRIGHT)
    with pytest.warns(SvfilterWarning, match="exif more than once"):
        assert read_png((b"eXIf", BLOCK), other).metadata.exif == UPRIGHT


def test_png_that_was_turned_has_its_resolution_turned():
    shape = struct.pack(">IIB", 2, 1, 0)
    metadata = read_png((b"eXIf", BLOCK), (b"pHYs", shape)).metadata
    assert metadata.native == ((b"pHYs", struct.pack(">IIB", 1, 2, 0)),)
    metadata = read_png((b"eXIf", BLOCK), (b"pHYs", struct.pack(">IIB", 5000, 100, 1))).metadata
    assert (b"pHYs", struct.pack(">IIB", 100, 5000, 1)) in png.chunks(metadata, native=True)


def test_pngs_checksums_are_checked():
    data = png_of((b"tEXt", b"Title\0words"), (b"PLTE", bytes(6)), (b"tRNS", b"\0\0\0\0\0\1"))
    with pytest.warns(SvfilterWarning, match="tEXt has a wrong checksum"):
        assert png.read(io.BytesIO(data.replace(b"words", b"sword"))).metadata == Metadata()
    for name in (b"IHDR", b"PLTE", b"tRNS"):
        at = data.index(name) + 5
        with pytest.raises(ValueError, match="damaged"):
            png.read(io.BytesIO(data[:at] + b"\x77" + data[at + 1 :]))


def test_png_with_a_chunk_that_must_be_understood_is_refused():
    with pytest.raises(ImageReadError, match="ABCd"):
        read_png((b"ABCd", b""))
    with pytest.raises(ImageReadError, match="CgBI"):  # Apple's own
        png.read(io.BytesIO(SIGNATURE + chunk(b"CgBI", bytes(4)) + png_of()[8:]))


@pytest.mark.parametrize(
    "fields",
    [(0, 1, 8, 2, 0, 0, 0), (1, 2**31, 8, 2, 0, 0, 0), (1, 1, 4, 2, 0, 0, 0), (1, 1, 8, 1, 0, 0, 0),
     (1, 1, 8, 2, 1, 0, 0), (1, 1, 8, 2, 0, 1, 0), (1, 1, 8, 2, 0, 0, 2), (1, 1, 8, 3, 0, 0, 0)],
)  # fmt: skip
def test_pngs_senseless_header_is_refused(fields):
    with pytest.raises(ValueError, match="states|palette"):
        read_png(header=struct.pack(">IIBBBBB", *fields))


def test_png_cannot_fill_the_memory_with_deflated_zeros():
    bomb = zlib.compress(bytes(2**25))
    chunks = [(b"zTXt", b"Comment\0\0" + bomb)] * 5 + [(b"iCCP", b"x\0\0" + bomb)]
    with pytest.warns(SvfilterWarning, match="too large when inflated"):
        metadata = read_png(*chunks).metadata
    assert sum(map(len, metadata.comments)) <= 2**26
    assert metadata.icc_profile is None


def test_png_keeps_a_profiles_chunk_only_while_the_profile_is_the_same():
    given = (b"iCCP", packed(b"My profile", PROFILE))
    metadata = read_png(given).metadata
    assert png.chunks(metadata, native=True) == [given]
    assert png.chunks(metadata, native=False) == [(b"iCCP", packed(b"ICC Profile", PROFILE))]
    other = dataclasses.replace(metadata, icc_profile=b"another")
    assert png.chunks(other, native=True) == [(b"iCCP", packed(b"ICC Profile", b"another"))]


def test_png_writes_comments_that_came_from_elsewhere():
    metadata = Metadata(comments=("caf\u00e9", "\u20ac\0"))
    expected = [(b"tEXt", b"Comment\0caf\xe9"), (b"iTXt", b"Comment\0\0\0\0\0\xe2\x82\xac")]
    assert png.chunks(metadata, native=False) == expected
    with Image.open(io.BytesIO(png_of(*expected))) as image:
        image.load()
        assert image.text["Comment"] == "\u20ac"
    native = (b"tEXt", b"Comment\0old"), (b"tEXt", b"Title\0kept")
    changed = dataclasses.replace(metadata, native=native)
    assert png.chunks(changed, native=True) == [*expected, native[1]]


# JPEG.

APP = [0xE0 + n for n in range(16)]
COM = 0xFE


def jpeg_of(*segments, image=PIXELS, mode=None, **options):
    """A JPEG with these segments in place of any other that says something."""
    file = io.BytesIO()
    Image.fromarray(image, mode).save(file, "JPEG", **options)
    coded = file.getvalue()
    at = 2
    while coded[at + 1] in APP[:1]:
        at += 2 + int.from_bytes(coded[at + 2 : at + 4], "big")
    return b"\xff\xd8" + b"".join(segment(*given) for given in segments) + coded[at:]


def segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jfif(unit, across, down, behind=b"\0\0"):
    return APP[0], b"JFIF\0\1\1" + struct.pack(">BHH", unit, across, down) + behind


def read_jpeg(*segments, **options):
    return jpeg.read(io.BytesIO(jpeg_of(*segments, **options)))


def written(metadata, *, native=True):
    data = jpeg.segments(metadata, native=native)
    found, at = [], 0
    while at < len(data):
        _, marker, length = struct.unpack_from(">BBH", data, at)
        found.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


SQUARE = jfif(0, 1, 1)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_describes_its_pixels(subsampling, progressive):
    data = jpeg_of(subsampling=subsampling, progressive=progressive, quality=80)
    header = jpeg.read(io.BytesIO(data))
    assert (header.width, header.height) == SIZE
    assert (header.components, header.precision) == (3, 8)
    assert header.sampling == ([(1, 1), (2, 1), (2, 2)][subsampling], (1, 1), (1, 1))
    assert header.progressive == progressive
    assert not (header.arithmetic or header.lossless or header.hierarchical)
    assert header.adobe_transform is None
    assert header.table_of == (0, 1, 1)
    with Image.open(io.BytesIO(data)) as image:
        tables = [[table[n] for n in zigzag_index] for table in header.tables]
        assert list(image.quantization.values()) == tables


def test_jpegs_last_table_counts_and_each_must_be_there():
    data = jpeg_of()
    at = data.index(b"\xff\xda")
    deep = list(range(300, 364))
    table = segment(0xDB, b"\x10" + struct.pack(">64H", *deep) + b"\3" + bytes(64))
    header = jpeg.read(io.BytesIO(data[:at] + table + data[at:]))
    assert header.tables == (deep, jpeg.read(io.BytesIO(data)).tables[1])
    frame = data.index(b"\xff\xc0")
    other = data[: frame + 12] + b"\2" + data[frame + 13 :]
    header = jpeg.read(io.BytesIO(other))
    assert (header.tables, header.table_of) == ((), (1, 0, 0))


@pytest.mark.parametrize(
    ("mode", "options", "components", "transform"),
    [("L", {}, 1, None), ("CMYK", {}, 4, 0), ("RGB", {"keep_rgb": True}, 3, 0)],
)
def test_jpeg_says_how_its_components_are_meant(mode, options, components, transform):
    file = io.BytesIO()
    Image.new(mode, SIZE).save(file, "JPEG", **options)
    header = jpeg.read(file)
    assert (header.components, header.adobe_transform) == (components, transform)
    assert header.sampling == ((1, 1),) * components
    assert header.table_of == (0,) * components
    assert len(header.tables) == 1
    assert header.metadata == Metadata()


def test_jpeg_may_have_padding_and_garbage_before_markers():
    data = jpeg_of((COM, b"words"), (APP[1], b"Exif\0\0" + BLOCK))
    expected = jpeg.read(io.BytesIO(data))
    at = 2
    for extra in (
        b"\xff" * 7,
        b"garbage",
        b"\0\xff\0",
        b"\xff\x01",
        b"\xff\xd3",
        b"\0" * 600 + b"\xff",
    ):
        assert jpeg.read(io.BytesIO(data[:at] + extra + data[at:])) == expected
    behind = data.index(b"words") + 5
    for length in (505, 506, 507, 508, 509, 510, 511):  # what is read together ends in a marker
        assert jpeg.read(io.BytesIO(data[:behind] + bytes(length) + data[behind:])) == expected


def test_jpeg_that_is_cut_before_its_pixels_is_refused():
    data = jpeg_of((COM, b"words"), (APP[1], b"Exif\0\0" + BLOCK))
    for length in range(data.index(b"\xff\xda") + 2):
        with pytest.raises((ValueError, struct.error)):
            jpeg.read(io.BytesIO(data[:length]))
    frame = data.index(b"\xff\xc0")
    for at, value in (
        (5, b"\0\0"),
        (7, b"\0\0"),
        (9, b"\0"),
        (9, b"\4"),
        (11, b"\x01"),
        (11, b"\x50"),
    ):
        damaged = data[: frame + at] + value + data[frame + at + len(value) :]
        with pytest.raises((ValueError, struct.error)):
            jpeg.read(io.BytesIO(damaged))
    for marker in (
        b"\xff\xd8",
        b"\xff\xd9",
        b"\xff\xf7\0\2",
        b"\xff\xc1" + data[frame + 2 : frame + 19],
    ):
        with pytest.raises(ValueError, match="ends before|unknown marker|frames"):
            jpeg.read(io.BytesIO(data[:2] + marker + data[2:]))


@pytest.mark.parametrize(
    ("given", "dpi", "stated"),
    [
        (jfif(1, 300, 300), (300, 300), None),
        (jfif(1, 72, 144), (72, 144), None),
        (jfif(2, 118, 118), (118 * 2.54, 118 * 2.54), None),
        (jfif(2, 50, 100), (127, 254), jfif(1, 127, 254)),
        (jfif(0, 1, 1), None, None),
        (jfif(0, 0, 0), None, SQUARE),
        (jfif(1, 0, 0), None, SQUARE),
        (jfif(0, 2, 1), None, None),
        (jfif(1, 300, 300, b"\1\1old"), (300, 300), jfif(1, 300, 300)),
        ((APP[0], b"JFIF\0short"), None, SQUARE),
    ],
)
def test_jpegs_resolution_is_carried(given, dpi, stated):
    metadata = read_jpeg(given).metadata
    assert metadata.dpi == (dpi and pytest.approx(dpi, rel=1e-12))
    assert written(metadata) == [stated or given]


@pytest.mark.parametrize(
    ("dpi", "expected"),
    [
        (None, SQUARE), ((11811 * 0.0254, 11811 * 0.0254), jfif(1, 300, 300)),
        ((72.009, 71.5), jfif(1, 72, 72)), ((0.1, 300), SQUARE), ((1e5, 300), SQUARE),
    ],
)  # fmt: skip
def test_jpeg_states_a_resolution_as_well_as_it_can(dpi, expected):
    assert written(Metadata(dpi=dpi), native=False) == [expected]


def test_jpeg_that_was_turned_has_its_resolution_turned():
    turned = (APP[1], b"Exif\0\0" + BLOCK)
    assert read_jpeg(jfif(1, 72, 144), turned).metadata.dpi == (144, 72)
    assert written(read_jpeg(jfif(0, 2, 1), turned).metadata)[0] == jfif(0, 1, 2)


LONG = RNG.bytes(70_000)
PROFILE_PARTS = [
    (APP[2], b"ICC_PROFILE\0\1\2" + LONG[:65519]),
    (APP[2], b"ICC_PROFILE\0\2\2" + LONG[65519:]),
]
JPEG_SAID = {
    "exif": ([(APP[1], b"Exif\0\0" + BLOCK)], {"exif": UPRIGHT}, None),
    "xmp": ([(APP[1], xmp.HEADER + PACKET)], {"xmp": PACKET}, None),
    "profile": (
        PROFILE_PARTS[::-1],
        {"icc_profile": LONG},
        PROFILE_PARTS,
    ),
    "photoshop": (
        [(APP[13], b"Photoshop 3.0\0" + b"".join(OLD) + RESOURCES)],
        {"iptc": IPTC, "photoshop": RESOLUTION},
        [(APP[13], b"Photoshop 3.0\0" + RESOURCES)],
    ),
    "long photoshop": (
        [
            (APP[13], b"Photoshop 3.0\0" + resource(2000, LONG)[:65519]),
            (APP[13], b"Photoshop 3.0\0" + resource(2000, LONG)[65519:]),
        ],
        {"photoshop": resource(2000, LONG)},
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "expected", "after"), JPEG_SAID.values(), ids=JPEG_SAID)
def test_jpeg_says_what_its_segments_do(given, expected, after):
    header = read_jpeg(*given)
    assert header.metadata == Metadata(**expected)
    assert header.orientation == (6 if "exif" in expected else 1)
    exact = [(APP[1], b"Exif\0\0" + UPRIGHT)] if "exif" in expected else after or given
    assert written(header.metadata) == [SQUARE, *exact]


def test_jpeg_keeps_what_can_stay_in_the_files_order():
    kept = [
        (APP[1], b"FLIR\0thermal"), (APP[3], b"any"), (COM, b"caf\xe9"), (APP[2], b"FPXR\0x"),
        (APP[0], b"AVI1"), (APP[12], b"Ducky"), (COM, b"\xe2\x82\xac\0"), (APP[15], b""),
    ]  # fmt: skip
    dropped = [
        (APP[0], b"JFXX\0\x10old pixels"), (APP[8], b"SPIFF\0"), (APP[14], b"Adobe" + bytes(7)),
        (APP[2], b"urn:iso:std:iso:ts:21496:-1\0"),
    ]  # fmt: skip
    metadata = read_jpeg(*kept[:4], *dropped, *kept[4:]).metadata
    assert metadata == Metadata(comments=("caf\u00e9", "\u20ac"), native=tuple(kept))
    assert written(metadata) == [SQUARE, *kept]
    comments = [(COM, b"caf\xc3\xa9"), (COM, b"\xe2\x82\xac")]
    assert written(metadata, native=False) == [SQUARE, *comments]
    changed = dataclasses.replace(metadata, comments=("new",))
    others = [given for given in kept if given[0] != COM]
    assert written(changed) == [SQUARE, (COM, b"new"), *others]


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        ([(APP[11], b"JP\0\1 jumb c2pa")], "content credentials"),
        ([(APP[11], b"HDR_RI")], "boxes in APP11"),
        ([(APP[2], b"ICC_PROFILE\0\1\2x")], "ICC profile is damaged"),
        ([(APP[2], b"ICC_PROFILE\0\1\1x")] * 2, "ICC profile is damaged"),
        ([(APP[2], b"ICC_PROFILE\0")], "ICC profile is damaged"),
        ([(APP[2], b"ICC_PROFILE\0\1\1x")] * 300, "ICC profile is damaged"),
        ([(APP[1], b"Exif\0\0no")], "EXIF is damaged"),
        ([(APP[13], b"Photoshop 3.0\08BIMxx")], "resources are damaged"),
    ],
)
def test_jpeg_warns_of_what_it_leaves_out(given, warning):
    with pytest.warns(SvfilterWarning, match=warning):
        assert read_jpeg(*given).metadata == Metadata()


def test_jpegs_first_exif_counts():
    with pytest.warns(SvfilterWarning, match="EXIF more than once"):
        metadata = read_jpeg(*[(APP[1], b"Exif\0\0" + b) for b in (BLOCK, block_of(">"))]).metadata
    assert metadata == Metadata(exif=UPRIGHT)


def mpf(order, *kinds):
    listed = b"".join(struct.pack(order + "IIIHH", kind, 9, 9, 0, 0) for kind in (0x030000, *kinds))
    fields = [(0xB000, 7, b"0100"), (0xB001, 4, len(kinds) + 1), (0xB002, 7, listed)]
    return APP[2], b"MPF\0" + head(order) + directory(order, 8, *fields)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("kinds", "told"),
    [((), 0), ((0x010001, 0x40010002), 0), ((0,), 1), ((0, 0x010001, 0x020002), 2)],
)
def test_jpeg_counts_the_pictures_behind_it(order, kinds, told):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        header = read_jpeg(mpf(order, *kinds))
    assert header.pictures == len(kinds)
    assert header.metadata == Metadata()
    assert [str(w.message).split(",")[0] for w in heard] == [f"holds {told} more pictures"][:told]


def test_jpegs_damaged_list_of_pictures_counts_none():
    assert read_jpeg((APP[2], b"MPF\0"), (APP[2], b"MPF\0II*\0\xff")).pictures == 0


def extended(packet, name, part=1000):
    lead = b"http://ns.adobe.com/xmp/extension/\0" + name
    return [
        (APP[1], lead + struct.pack(">II", len(packet), at) + packet[at : at + part])
        for at in range(0, len(packet), part)
    ]


def test_jpeg_keeps_extended_xmp():
    name = hashlib.md5(LONG).hexdigest().upper().encode()
    main = b"<x xmpNote:HasExtendedXMP='" + name + b"' tiff:Orientation='8'/>"
    parts = extended(LONG, name, 40_000)
    header = read_jpeg(parts[0], (APP[1], xmp.HEADER + main), parts[1])
    assert header.orientation == 8
    expected = main.replace(b"8'", b"1'")
    assert header.metadata == Metadata(xmp=expected, native=tuple(parts))
    assert written(header.metadata) == [SQUARE, (APP[1], xmp.HEADER + expected), *parts]


def test_jpeg_writes_xmp_of_any_size():
    wrap = b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>%b%b<?xpacket end='w'?>"
    fits = wrap % (b"x" * 65_000, b" " * 9_000)
    ((_, data),) = written(Metadata(xmp=fits))[1:]
    assert data == xmp.HEADER + wrap % (b"x" * 65_000, b"\n")
    body = b"<x:xmpmeta>" + LONG.hex().encode() + b"</x:xmpmeta>"
    (_, main), *parts = written(Metadata(xmp=wrap % (body, b"\n")))[1:]
    name = hashlib.md5(body).hexdigest().upper().encode()
    assert parts == extended(body, name, 65_400)
    assert b'xmpNote:HasExtendedXMP="' + name + b'"' in main


def test_jpeg_warns_of_what_is_too_large_for_it():
    most = 65533 - 6
    assert written(Metadata(exif=bytes(most)))[1:] == [(APP[1], b"Exif\0\0" + bytes(most))]
    metadata = Metadata(
        exif=bytes(most + 1), icc_profile=bytes(255 * 65519 + 1), comments=("x" * 65534,)
    )
    with pytest.warns(SvfilterWarning) as heard:
        assert written(metadata) == [SQUARE]
    assert [str(w.message).split(" of ")[0] for w in heard] == [
        f"a JPEG cannot hold {what}" for what in ("EXIF", "an ICC profile", "a comment")
    ]
    assert len(written(Metadata(icc_profile=bytes(255 * 65519)))) == 256


# Independent readers.


def test_pillow_reads_what_is_written():
    metadata = Metadata(PROFILE, UPRIGHT, PACKET, IPTC, RESOLUTION, (300, 300), ("words",))
    data = jpeg_of()
    with Image.open(
        io.BytesIO(data[:2] + jpeg.segments(metadata, native=True) + data[2:])
    ) as image:
        assert image.info["icc_profile"] == PROFILE
        assert image.info["exif"] == b"Exif\0\0" + UPRIGHT
        assert image.info["xmp"] == PACKET
        assert image.info["dpi"] == (300, 300)
        assert image.info["comment"] == b"words"
        assert image.info["photoshop"][1028] == IPTC
        assert not image.getexif().get_ifd(ExifTags.IFD.IFD1)
    with Image.open(io.BytesIO(png_of(*png.chunks(metadata, native=True)))) as image:
        image.load()
        assert np.array_equal(np.asarray(image), PIXELS)
        assert image.info["icc_profile"] == PROFILE
        assert image.info["exif"] == b"Exif\0\0" + UPRIGHT
        assert image.info["XML:com.adobe.xmp"] == PACKET.decode()
        assert image.info["dpi"] == pytest.approx((300, 300), rel=1e-4)
        assert image.info["Comment"] == "words"


EXIFTOOL = shutil.which("exiftool")
PHOTO_XMP = b"""<?xpacket begin='\xef\xbb\xbf' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:xmp='http://ns.adobe.com/xap/1.0/'
 xmlns:xmpGImg='http://ns.adobe.com/xap/1.0/g/img/' xmlns:tiff='http://ns.adobe.com/tiff/1.0/'
 xmlns:exif='http://ns.adobe.com/exif/1.0/' tiff:Orientation='6' exif:PixelXDimension='4000'
 exif:PixelYDimension='3000'><dc:title><rdf:Alt><rdf:li xml:lang='x-default'>caf\xc3\xa9</rdf:li>
</rdf:Alt></dc:title><xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType='Resource'><xmpGImg:width>160
</xmpGImg:width><xmpGImg:image>/9j/</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end='w'?>"""


def tags(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    command = [EXIFTOOL, "-a", "-G1", "-j", "-u", "-U", "-b", "-n", str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
    groups = ("System:", "ExifTool:", "Composite:", "File:ImageW", "File:ImageH", "SourceFile")
    return {key: value for key, value in found.items() if not key.startswith(groups)}


@pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")
@pytest.mark.parametrize("order", ORDERS)
def test_exiftool_finds_everything_but_orientation_and_thumbnails(tmp_path, order):
    thumbnail = resource(1036, bytes(28) + THUMBNAIL)
    given = [
        jfif(1, 300, 300), (APP[1], b"Exif\0\0" + block_of(order)),
        (APP[1], xmp.HEADER + PHOTO_XMP),
        (APP[2], b"ICC_PROFILE\0\1\1" + PROFILE),
        (APP[12], b"Ducky\0\1\0\4\0\0\0\x50\0\0"),
        (APP[13], b"Photoshop 3.0\0" + thumbnail + DIGEST + RESOURCES),
        (COM, b"caf\xe9"),
    ]  # fmt: skip
    before = tags(tmp_path, "before.jpg", jpeg_of(*given))
    metadata = read_jpeg(*given).metadata
    data = jpeg_of()
    data = data[:2] + jpeg.segments(metadata, native=True) + data[2:]
    after = tags(tmp_path, "after.jpg", data)
    gone = {key for key in before if key.startswith("IFD1:") or "Thumbnail" in key}
    assert {"IFD1:ThumbnailImage", "XMP-xmp:ThumbnailImage"} <= gone
    assert THUMBNAIL[3:] not in data
    assert before.keys() - after.keys() == gone
    assert after.keys() <= before.keys()
    assert after["Canon:OwnerName"] == "Its owner"
    different = {key: after[key] for key in after if after[key] != before[key]}
    assert different == {
        "IFD0:Orientation": 1, "XMP-tiff:Orientation": 1, "IFD0:XResolution": 240,
        "IFD0:YResolution": 300, "ExifIFD:ExifImageWidth": 3000, "ExifIFD:ExifImageHeight": 4000,
        "XMP-exif:ExifImageWidth": 3000, "XMP-exif:ExifImageHeight": 4000,
    }  # fmt: skip
    in_png = tags(tmp_path, "after.png", png_of(*png.chunks(metadata, native=False)))
    same = ("IFD0:", "ExifIFD:", "GPS:", "XMP-", "ICC", "IPTC:", "Photoshop:", "Maker")
    for key in after:
        if key.startswith(same):
            assert in_png[key] == after[key], key


# Hostile bytes.


def mutations(data, count):
    """Copies with a few bytes changed, to boundary values for the most part, or cut."""
    for _ in range(count):
        copy = bytearray(data)
        for at in RNG.integers(0, len(data), RNG.integers(1, 6)):
            copy[at] = RNG.choice([0, 1, 8, 0x7F, 0x80, 0xFF, RNG.integers(256)])
        yield bytes(copy[: RNG.integers(len(data) + 1)] if RNG.random() < 0.1 else copy)


SUBJECTS = {
    "exif": (BLOCK, lambda data: exif.upright(data, turned=True)),
    "exif, other order": (block_of(">"), lambda data: exif.upright(data, turned=True)),
    "xmp": (PHOTO_XMP, lambda data: xmp.upright(data, turned=True)),
    "photoshop": (b"".join(OLD) + RESOURCES, photoshop.split),
    "png": (
        png_of((b"eXIf", BLOCK), XMP, raw("iptc", RESOURCES), (b"iCCP", packed(b"x", PROFILE))),
        lambda data: png.read(io.BytesIO(data)),
    ),
    "jpeg": (
        jpeg_of((APP[1], b"Exif\0\0" + BLOCK), mpf("<", 0, 0), *JPEG_SAID["photoshop"][0]),
        lambda data: jpeg.read(io.BytesIO(data)),
    ),
}


@pytest.mark.parametrize(("data", "read"), SUBJECTS.values(), ids=SUBJECTS)
def test_hostile_bytes_are_refused_as_damaged_or_understood(data, read):
    understood = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for mutated in mutations(data, 500):
            with suppress(ValueError, struct.error, ImageReadError):
                read(mutated)
                understood += 1
    assert understood > 0
