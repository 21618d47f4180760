"""Tone curves: against their formulas, against LittleCMS, and back again."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageCms

from svfilter.errors import InvalidArgument
from svfilter.images.light import Curve, for_profile

DENSE = np.linspace(0, 1, 200_001, dtype=np.float32)
PRIMARIES = {  # sRGB's, adapted to D50
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}


def srgb(x: np.ndarray) -> np.ndarray:
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def curv(*levels: int) -> bytes:
    return b"curv" + struct.pack(f">II{len(levels)}H", 0, len(levels), *levels)


def para(kind: int, *numbers: float) -> bytes:
    return b"para" + struct.pack(">IHH", 0, kind, 0) + fixed(*numbers)


def profile(*curves: bytes, space: bytes = b"", connection: bytes = b"XYZ ") -> bytes:
    """A display profile of version 4 with one tone curve (grey) or three (RGB)."""
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249)}
    if len(curves) == 1:
        tags[b"kTRC"] = curves[0]
    elif curves:
        tags |= dict(zip((b"rTRC", b"gTRC", b"bTRC"), curves, strict=True))
        tags |= {name: b"XYZ \0\0\0\0" + fixed(*xyz) for name, xyz in PRIMARIES.items()}
    for name in (b"desc", b"cprt"):
        tags[name] = b"mluc" + struct.pack(">III2sHII", 0, 1, 12, b"en", ord("U"), 2, 28) + b"\0x"
    entries, data = b"", b""
    start = 132 + 12 * len(tags)
    for name, tag in tags.items():
        entries += struct.pack(">4sII", name, start + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    space = space or (b"GRAY" if len(curves) == 1 else b"RGB ")
    header = struct.pack(
        ">I4sI4s4s4s", start + len(data), b"", 0x04200000, b"mntr", space, connection
    )
    header += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += fixed(0.9642, 1, 0.8249) + bytes(48)
    return header + struct.pack(">I", len(tags)) + entries + data


def sampled(function: Callable[[np.ndarray], np.ndarray], count: int) -> tuple[int, ...]:
    return tuple(np.rint(65535 * function(np.linspace(0, 1, count))).astype(int).tolist())


def interpolated(*levels: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.interp(x, np.linspace(0, 1, len(levels)), np.array(levels) / 65535)


SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
LSTAR = sampled(lambda x: np.where(x < 0.08, x * 100 / 903.3, ((x + 0.16) / 1.16) ** 3), 4096)
STEEP = sampled(np.sqrt, 300)
ODD = (0, 60000, 60001, 60002, 65000, 65535)
PURE = sampled(lambda x: x**2.2, 1024)  # its first few are all 0
RAISED = sampled(lambda x: 0.05 + 0.9 * x**1.8, 256)

# Name -> tone curve, its formula, and how far the file's 16-bit numbers may carry it.
CURVES: dict[str, tuple[bytes, Callable[[np.ndarray], np.ndarray], float]] = {
    "curv-none": (curv(), lambda x: x, 0),
    "curv-linear": (curv(256), lambda x: x, 0),
    "curv-gamma": (curv(0x233), lambda x: x ** (0x233 / 256), 1e-6),
    "curv-two": (curv(0, 65535), lambda x: x, 1e-7),
    "curv-srgb": (curv(*sampled(srgb, 1024)), interpolated(*sampled(srgb, 1024)), 1e-6),
    "curv-lstar": (curv(*LSTAR), interpolated(*LSTAR), 1e-6),
    "curv-steep": (curv(*STEEP), interpolated(*STEEP), 1e-6),
    "curv-odd": (curv(*ODD), interpolated(*ODD), 1e-6),
    "curv-pure": (curv(*PURE), interpolated(*PURE), 1 / 65535),
    "curv-raised": (curv(*RAISED), interpolated(*RAISED), 1e-6),
    "para-0": (para(0, 1.8), lambda x: x**1.8, 1e-5),
    "para-1": (para(1, 2.4, 0.9, 0.1), lambda x: (0.9 * x + 0.1) ** 2.4, 5e-5),
    "para-2": (para(2, 2, 0.9, 0.05, 0.02), lambda x: (0.9 * x + 0.05) ** 2 + 0.02, 5e-5),
    "para-3": (para(3, *SRGB), srgb, 5e-5),
    "para-gap": (  # the straight part ends 0.0005 too low, and is made to meet the other
        para(3, 2, 1, 0, 0.095, 0.1),
        lambda x: np.where(x < 0.1, x / 10, x**2),
        5e-5,
    ),
    "para-4": (
        para(4, 3, 1 / 1.16, 0.16 / 1.16, 100 / 903.3, 0.08, 0.001, 0.001),
        lambda x: 0.001 + np.where(x < 0.08, x * 100 / 903.3, ((x + 0.16) / 1.16) ** 3),
        5e-5,
    ),
}


NEAR = {"curv-odd": 8e-4}
"""How near a value comes back, if not within 1e-6: 2^-24 by the slope of the levelest line."""


def curve_of(name: str) -> Curve:
    return for_profile(profile(CURVES[name][0]), "grey")


def lit(curve: Curve, x: np.ndarray) -> np.ndarray:
    return curve.to_linear(np.asarray(x, np.float32)[None, None])[0, 0]


def coded(curve: Curve, y: np.ndarray) -> np.ndarray:
    return curve.to_encoded(np.asarray(y, np.float32)[None, None])[0, 0]


# Formulas.


def test_srgb_is_the_standards_formula() -> None:
    curve = for_profile(None, "rgb")
    assert curve is Curve.srgb
    exact = srgb(DENSE.astype(np.float64))
    assert np.abs(lit(curve, DENSE) - exact).max() < 3e-7
    assert np.abs(coded(curve, exact) - DENSE).max() < 3e-7
    assert lit(curve, [0, 1]).tolist() == coded(curve, [0, 1]).tolist() == [0, 1]
    assert np.rint(255 * coded(curve, [0.5])) == 188
    line = np.float32([1e-6, 0.01, 0.04])
    np.testing.assert_allclose(lit(curve, line), line / 12.92, rtol=1e-6)


@pytest.mark.parametrize("name", CURVES)
def test_curves_of_profiles_are_their_formulas(name: str) -> None:
    _, function, off = CURVES[name]
    got = lit(curve_of(name), DENSE)
    assert got.dtype == np.float32
    assert np.abs(got - function(DENSE.astype(np.float64))).max() <= off


@pytest.mark.parametrize("name", [*CURVES, "srgb"])
def test_curves_rise_and_come_back(name: str) -> None:
    curve = Curve.srgb if name == "srgb" else curve_of(name)
    x = np.concatenate([-DENSE[::-1], DENSE])
    light = lit(curve, x)
    assert (np.diff(light) >= -1.2e-7).all()  # but for the last bit, where lines of a table meet
    back = coded(curve, light)
    assert np.abs(back - x).max() < NEAR.get(name, 1e-6)
    assert coded(curve, lit(curve, [0])) == 0
    assert abs(coded(curve, lit(curve, [1])) - 1) <= 2.0**-23


@pytest.mark.parametrize("name", [*CURVES, "srgb"])
def test_curves_go_on_beyond_black_and_white(name: str) -> None:
    curve = Curve.srgb if name == "srgb" else curve_of(name)
    x = np.float32([0.001, 0.3, 1])
    black = lit(curve, [0])
    np.testing.assert_allclose(lit(curve, -x) - black, black - lit(curve, x), rtol=1e-5, atol=1e-7)
    beyond = np.float32([1.5, 8])
    light = lit(curve, beyond)
    assert (light > 1).all() or name == "curv-raised"
    np.testing.assert_allclose(coded(curve, light), beyond, rtol=3e-6)


def test_srgb_goes_on_as_its_formula() -> None:
    x = np.array([1.1, 2, 50, -3])
    np.testing.assert_allclose(lit(Curve.srgb, x), np.sign(x) * srgb(np.abs(x)), rtol=2e-6)


@pytest.mark.parametrize("name", ["curv-gamma", "curv-srgb", "para-3"])
def test_what_is_not_finite_stays(name: str) -> None:
    values = np.float32([np.nan, np.inf, -np.inf, -0.5])
    for convert in (lit, coded):
        got = convert(curve_of(name), values)
        np.testing.assert_array_equal(got[:3], values[:3])
        assert got[3] < 0


def test_identity_changes_nothing(rng: np.random.Generator) -> None:
    planes = rng.normal(size=(3, 5, 7)).astype(np.float32)
    for same in (Curve.identity.to_linear(planes), Curve.identity.to_encoded(planes)):
        np.testing.assert_array_equal(same, planes)
    assert curve_of("curv-none") == curve_of("curv-linear") == Curve.identity
    assert for_profile(profile(*3 * [curv()]), "rgb") == Curve.identity


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 13), (3, 300, 5), (3, 2, 70000)])
def test_every_plane_has_its_own_curve(
    shape: tuple[int, int, int], rng: np.random.Generator
) -> None:
    planes = rng.random(shape, dtype=np.float32)
    before = planes.copy()
    names = ["curv-gamma", "curv-srgb", "para-3"][: shape[0]]
    data = profile(*(CURVES[name][0] for name in names))
    curve = for_profile(data, "grey" if shape[0] == 1 else "rgb")
    expected = [
        curve_of(name).to_linear(plane[None])[0] for name, plane in zip(names, planes, strict=True)
    ]
    np.testing.assert_array_equal(curve.to_linear(planes), expected)
    np.testing.assert_array_equal(planes, before)
    out = np.full((shape[0], shape[1] + 1, shape[2]), 7, np.float32)
    assert curve.to_linear(planes, out=out[:, 1:]) is not None
    np.testing.assert_array_equal(out[:, 1:], expected)
    assert (out[:, 0] == 7).all()
    curve.to_encoded(out[:, 1:], out=out[:, 1:])
    np.testing.assert_allclose(out[:, 1:], planes, atol=1e-6)


@pytest.mark.parametrize("name", [*CURVES, "srgb"])
def test_light_within_the_tolerance_is_encoded_within_it(name: str) -> None:
    curve = Curve.srgb if name == "srgb" else curve_of(name)
    for encoded in (0.5 / 255, 2.5e-4, 0.1):
        off = curve.tolerance(encoded)
        light = lit(curve, DENSE).astype(np.float64)
        for wrong in (light - off, light + off):
            errors = np.abs(coded(curve, wrong) - DENSE)
            within = (wrong >= light[0]) & (wrong <= light[-1])
            assert errors[within].max() < encoded * 1.01 + NEAR.get(name, 1e-6)
    assert curve.tolerance(0) == 0


def test_tolerance_of_srgb_is_the_slope_at_black() -> None:
    assert Curve.srgb.tolerance(0.5 / 255) == pytest.approx(0.5 / 255 / 12.92, rel=1e-3)
    assert Curve.identity.tolerance(0.01) == pytest.approx(0.01, rel=1e-3)


# LittleCMS.


@pytest.mark.parametrize("name", CURVES)
def test_curves_are_those_of_littlecms(name: str) -> None:
    codecs = pytest.importorskip("imagecodecs")
    levels = np.linspace(0, 1, 4097, dtype=np.float32)
    others = ["para-3", "curv-srgb"]
    data = profile(*(CURVES[each][0] for each in (name, *others)))
    curve = for_profile(data, "rgb")
    lights = curve.to_linear(np.broadcast_to(levels, (3, 1, levels.size)))[:, 0]
    pixels = np.broadcast_to(levels[:, None], (levels.size, 3))[None].copy()
    xyz = codecs.cms_transform(
        pixels, data, codecs.cms_profile("xyz"), colorspace="rgb", outcolorspace="xyz",
        intent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )  # fmt: skip
    # Y is the sum of the channels' light by their primaries.
    shares = np.array(list(PRIMARIES.values()))[:, 1]
    expected = shares @ lights
    scale = xyz[0, -1, 1] / expected[-1]
    assert scale == pytest.approx(1, abs=0.01) or scale == pytest.approx(32768 / 65535, abs=0.01)
    near = 1.2e-4 if name == "para-gap" else 4e-5  # LittleCMS leaves the gap
    assert np.abs(xyz[0, :, 1] / scale - expected).max() < near


@pytest.mark.parametrize("name", CURVES)
def test_curves_are_those_of_pillow(name: str) -> None:
    levels = np.arange(256, dtype=np.uint8)
    image = Image.fromarray(np.repeat(levels[:, None, None], 3, axis=2))
    source, linear = (
        ImageCms.ImageCmsProfile(io.BytesIO(profile(*3 * [tone])))
        for tone in (CURVES[name][0], curv())
    )
    to_light = ImageCms.buildTransform(
        source, linear, "RGB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
    )
    got = np.asarray(ImageCms.applyTransform(image, to_light)).astype(float)
    expected = 255 * lit(for_profile(profile(*3 * [CURVES[name][0]]), "rgb"), levels / 255)
    assert np.abs(got[:, 0, :] - expected.clip(0, 255)[:, None]).max() < 0.51


def test_littlecms_own_profile_is_srgb() -> None:
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.abs(lit(for_profile(data, "rgb"), DENSE) - lit(Curve.srgb, DENSE)).max() < 5e-5


# What is refused.


def test_grey_takes_the_curve_that_rgb_shares() -> None:
    tone = CURVES["para-0"][0]
    assert for_profile(profile(*3 * [tone]), "grey") == curve_of("para-0")
    with pytest.raises(InvalidArgument, match="they are|these are grey and the ICC profile is for"):
        for_profile(profile(tone, tone, curv()), "grey")


@pytest.mark.parametrize(
    ("data", "colour", "words"),
    [
        (None, "cmyk", "needs grey or RGB pixels, but these are CMYK"),
        (None, "bands", "needs grey or RGB pixels, but these are bands"),
        (profile(), "rgb", "a profile with tone curves.* for RGB, has none; convert"),
        (profile(space=b"CMYK"), "rgb", "a profile with tone curves.* for CMYK, has none"),
        (profile(curv(), connection=b"Lab "), "grey", "a profile with tone curves"),
        (profile(curv()), "rgb", "these are rgb and the ICC profile is for GRAY"),
        (profile(*3 * [curv()], space=b"Lab "), "rgb", "is for Lab"),
        (b"", "rgb", "it has no header of one"),
        (b"junk" * 100, "rgb", "it has no header of one"),
        (profile(curv(5, 5, 5)), "grey", "does not rise everywhere"),
        (profile(curv(0, 30000, 20000, 65535)), "grey", "does not rise everywhere"),
        (profile(curv(65535, 0)), "grey", "does not rise everywhere"),
        (profile(curv(0)), "grey", "does not rise everywhere"),
        (profile(para(0, -1)), "grey", "does not rise everywhere"),
        (profile(para(1, 2, 1.2, -0.2)), "grey", "does not rise everywhere"),
        (profile(para(1, 2, -1, 1)), "grey", "does not rise everywhere"),
        (profile(para(3, 2, 1, -0.5, 0.1, 0.2)), "grey", "does not rise everywhere"),
        (profile(para(3, 2.4, 0.95, 0.05, 0, 0.04)), "grey", "does not rise everywhere"),
        (profile(para(3, 2.4, 0.95, 0.05, 0.08, 0.5)), "grey", "does not rise everywhere"),
        (profile(curv(1, 2)[:-2]), "grey", "ends early"),
        (profile(para(2, 2, 0.9, 0.05)), "grey", "ends early"),
        (profile(para(1, 9000, 30000, 1)), "grey", "goes too far"),
        (profile(para(3, 9, 9, 0, 1, 0.001)), "grey", "goes too far"),
        (profile(para(5, 1, 1, 1, 1, 1, 1, 1)), "grey", "unknown type para"),
        (profile(b"mAB \0\0\0\0\0\0\0\0"), "grey", "unknown type mAB"),
    ],
)
def test_profiles_without_curves_to_undo_are_refused(
    data: bytes | None, colour: str, words: str
) -> None:
    with pytest.raises(InvalidArgument, match=f"--linear .*{words}"):
        for_profile(data, colour)


@pytest.mark.parametrize("name", ["curv-pure", "para-4"])
def test_damage_is_refused_or_does_not_matter(name: str, rng: np.random.Generator) -> None:
    """No other exception, no warning, and a curve that comes back."""
    data = profile(*3 * [CURVES[name][0]])
    damaged = [data[:size] for size in range(0, len(data), 3)]
    for _ in range(400):
        piece = bytearray(data)
        piece[rng.integers(len(data))] = rng.integers(256)
        piece[rng.integers(128, 360)] = rng.integers(256)
        damaged.append(bytes(piece))
    planes = np.broadcast_to(DENSE[::1000], (3, 1, 201))
    read = 0
    for piece in damaged:
        with suppress(InvalidArgument):
            curve = for_profile(piece, "rgb")
            light = curve.to_linear(planes)
            assert np.isfinite(light).all() and np.isfinite(curve.to_encoded(light)).all()
            read += 1
    assert 0 < read < len(damaged)


# Tables that are level in places.


def test_equal_neighbours_rise_towards_the_next_level() -> None:
    levels = (0, 0, 0, 6000, 20000, 20000, 40000, 65535, 65535)
    curve = for_profile(profile(curv(*levels)), "grey")
    x = np.arange(9, dtype=np.float32) / 8
    expected = [0, 2000, 4000, 6000, 20000, 30000, 40000, 40000 + 25535 / 2, 65535]
    np.testing.assert_allclose(lit(curve, x) * 65535, expected, rtol=1e-6)
    np.testing.assert_allclose(coded(curve, lit(curve, DENSE)), DENSE, atol=1e-6)
