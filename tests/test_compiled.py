"""Compiled engines: the same bytes however the work is cut, from any memory, for any memory."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
import torch
from cases import COMPILED, Way, rough_field
from conftest import assert_parity

from svfilter import Gaussian, KernelField, filter_image
from svfilter.compiled import making, planes
from svfilter.engines import scale_space
from svfilter.engines.base import Mode
from svfilter.errors import InvalidArgument
from svfilter.kernels.bilateral import Bilateral
from svfilter.kernels.lens import Lens
from svfilter.kernels.motion import Motion
from svfilter.tiles import BOUNDARIES

EVERY = pytest.mark.parametrize("way", COMPILED, ids=str)


def least_memory(way: Way, image: np.ndarray, field: KernelField, **options: str) -> int:
    """Give the bytes below which the engine refuses."""
    with pytest.raises(InvalidArgument, match="at least") as caught:
        way.filter(image, field, memory=1, **options)
    found = re.search(r"at least (\d+) bytes", str(caught.value))
    assert found
    return int(found.group(1))


def sharp_regions(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Give a map in which most levels are skipped here and there, and all in some rows."""
    sigma = np.zeros(shape, np.float32)
    sigma[5:9, 70:90] = rng.uniform(0, 4, (4, 20))
    sigma[-3:, :20] = 0.5
    sigma[20, 33] = 4
    sigma[12, :] = 0.125
    return sigma


def scenes() -> dict[str, tuple[np.ndarray, KernelField]]:
    rng = np.random.default_rng(7)

    def rough(*shape: int) -> KernelField:
        return rough_field(Gaussian, shape, rng)

    def image(*shape: int) -> np.ndarray:
        return rng.random(shape, dtype=np.float32)

    return {
        "odd": (image(3, 29, 131), rough(29, 131)),
        "seven_planes": (image(7, 17, 35), rough(17, 35)),
        "own_maps": (image(3, 17, 66), rough(3, 17, 66)),
        "batch": (image(2, 3, 13, 9), rough(2, 1, 13, 9)),
        "one_sigma": (image(2, 33, 70), KernelField(Gaussian(sigma=2.3))),
        "sharp_regions": (
            image(2, 43, 150),
            KernelField(Gaussian(sigma=sharp_regions((43, 150), rng))),
        ),
        "all_sharp": (image(9, 40), KernelField(Gaussian(sigma=np.zeros((9, 40), np.float32)))),
        "one_column": (image(40, 1), rough(40, 1)),
        "one_row": (image(1, 97), rough(1, 97)),
        "moved": (image(5, 17, 70), rough_field(Motion, (17, 70), rng, path=1)),
        "guided": (image(2, 15, 37), rough_field(Bilateral, (15, 37), rng)),
        "pentagons_of_own": (image(3, 9, 66), rough_field(Lens, (3, 9, 66), rng, blades=5)),
        "scattered": (image(3, 19, 71), rough_field(Gaussian, (19, 71), rng, share=0.5)),
        "scattered_by_motion": (image(7, 9, 35), rough_field(Motion, (9, 35), rng, path=1)),
        "scattered_batch": (image(2, 3, 13, 9), rough_field(Lens, (2, 1, 13, 9), rng, blades=5)),
        "scattered_alike": (image(2, 33, 40), KernelField(Gaussian(sigma=1.3))),
        "scattered_column": (image(40, 1), rough(40, 1)),
        "scattered_sharp": (image(9, 40), KernelField(Gaussian(sigma=np.zeros((9, 40))))),
    }


SCENES = scenes()
ANY_SCENE = pytest.mark.parametrize("scene", SCENES)


def mode_of(scene: str) -> Mode:
    return "scatter" if scene.startswith("scattered") else "gather"


@EVERY
@ANY_SCENE
def test_threads_memory_and_pieces_leave_no_trace(
    way: Way, scene: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, field = SCENES[scene]
    mode = mode_of(scene)
    way.allowed(image, field, mode=mode)
    whole = way.filter(image, field, mode=mode, jobs=1)
    least = least_memory(way, image, field, mode=mode)
    for jobs, memory in ((2, 2**28), (3, 2**28), (None, 2**28), (1, least), (3, least)):
        again = way.filter(image, field, mode=mode, jobs=jobs, memory=memory)
        np.testing.assert_array_equal(again, whole)
    for rows, cols in ((1, 1), (3, 5), (7, 16), (64, 33)):
        monkeypatch.setattr(making, "GATHER_TILE", (rows, cols))
        monkeypatch.setattr(making, "SCATTER_TILE", (rows, cols))
        monkeypatch.setattr(scale_space, "STRIP", cols)
        np.testing.assert_array_equal(way.filter(image, field, mode=mode, jobs=2), whole)


@EVERY
@ANY_SCENE
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_windows_leave_no_trace(way: Way, scene: str, boundary: str) -> None:
    image, field = SCENES[scene]
    mode = mode_of(scene)
    way.allowed(image, field, mode=mode)
    whole = way.filter(image, field, boundary=boundary, mode=mode)
    cuts = [(7, 7), (64, 64), (3, 1000), (1000, 5)]
    if image.size < 1000:
        cuts.append((1, 1))
    for rows, cols in cuts:
        tiled = way.filter_in_tiles(image, field, rows, cols, boundary=boundary, mode=mode)
        np.testing.assert_array_equal(tiled, whole)


@EVERY
def test_windows_leave_no_trace_of_nan(way: Way, rng: np.random.Generator) -> None:
    """Where a window's own sigmas are small, little is read around it."""
    image = rng.random((20, 30), dtype=np.float32)
    image[10, 10], image[4, 25], image[15, 29] = np.nan, np.inf, -np.inf
    sigma = np.float32(rng.choice([0, 0.13, 0.9, 1.13, 1.16, 1.2, 2.0], (20, 30)))
    for largest in (4, 16, 64):  # from where it takes other levels for all
        sigma[19, 0] = largest
        field = KernelField(Gaussian(sigma=sigma))
        if way.why_not(image, field):
            continue
        whole = way.filter(image, field)
        for side in (1, 3, 8):
            tiled = way.filter_in_tiles(image, field, side, side)
            np.testing.assert_array_equal(tiled, whole)
        if largest == 4:
            truth = filter_image(image, field, engine="unfold")
            allowed = way.allowed(image, field) + 1e-6
            np.testing.assert_allclose(whole, truth, rtol=0, atol=allowed)


@EVERY
def test_no_thread_begins_before_the_memory_for_results_is_laid_out(
    way: Way, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = rng.random((3, 40, 90), dtype=np.float32)
    field = rough_field(Gaussian, (40, 90), rng)
    expected, touch, late = way.filter(image, field, jobs=1), planes._touch, iter([0, 0.2])

    def slow(values: np.ndarray) -> None:
        time.sleep(next(late))
        touch(values)

    monkeypatch.setattr(planes, "_touch", slow)
    monkeypatch.setattr(planes, "_PAGE", 1)
    np.testing.assert_array_equal(way.filter(image, field, jobs=2), expected)


@EVERY
@ANY_SCENE
def test_every_value_is_written_and_none_read_that_was_not(
    way: Way, scene: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, field = SCENES[scene]
    mode = mode_of(scene)
    way.allowed(image, field, mode=mode)
    expected = way.filter(image, field, mode=mode, jobs=1)
    real_empty, real_zeros = np.empty, np.zeros

    def empty(shape, dtype=float, **rest):
        made = real_empty(shape, dtype, **rest)
        if made.dtype.kind == "f":
            made[...] = np.nan
        return made

    def scratch(shape, dtype=float, **rest):
        made = real_zeros(shape, dtype, **rest)
        if made.dtype == np.uint8:  # a thread's scratch, as other pieces may have left it
            made.view(np.uint8)[...] = 0x4B  # 1.3e7 as float32: large, but finite
        return made

    monkeypatch.setattr(planes.np, "empty", empty)
    monkeypatch.setattr(planes.np, "zeros", scratch)
    poisoned = way.filter(image, field, mode=mode, jobs=1)
    monkeypatch.undo()
    np.testing.assert_array_equal(poisoned, expected)
    assert np.isfinite(expected).all()


@EVERY
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_sigma_zero_is_the_identity_in_a_mixed_map(
    way: Way, dtype: str, rng: np.random.Generator
) -> None:
    for scale, shift in ((1, 0), (1e4, -5e3), (1e-3, 0)):
        image = (rng.random((5, 43, 150)) * scale + shift).astype(dtype)
        image[:, ::3, ::4] = -0.0
        sigma = sharp_regions((43, 150), rng)
        sigma[0, 1:60] = 0.12499
        field = KernelField(Gaussian(sigma=sigma))
        way.allowed(image, field)
        got = way.filter(image, field)
        sharp = sigma < 0.125
        np.testing.assert_array_equal(got[:, sharp], image[:, sharp])
        if way.engine == "scale_space":  # `direct` makes 0 of −0 beside what is not sharp
            np.testing.assert_array_equal(np.signbit(got)[:, sharp], np.signbit(image)[:, sharp])
        assert (got[:, ~sharp] != image[:, ~sharp]).any()


@EVERY
@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        lambda a: np.repeat(a, 3, axis=-2)[..., ::3, :],
        lambda a: np.ascontiguousarray(a[..., ::-1, ::-1])[..., ::-1, ::-1],
        lambda a: np.pad(a, [(0, 0)] * (a.ndim - 2) + [(1, 2), (3, 1)])[..., 1:-2, 3:-1],
        lambda a: np.lib.stride_tricks.as_strided(a, writeable=False),
        lambda a: a.astype(">f4"),
        lambda a: np.frombuffer(b"x" + a.tobytes(), np.float32, offset=1).reshape(a.shape),
    ],
    ids=["fortran", "cols", "rows", "reversed", "cut", "read_only", "big_endian", "misaligned"],
)
def test_layout_changes_nothing(way: Way, change, rng: np.random.Generator) -> None:
    image, field = SCENES["odd"]
    way.allowed(image, field)
    expected = way.filter(image, field)
    view, sigma = change(image), change(field.maps["sigma"].astype(np.float32))
    before = view.copy(), sigma.copy()
    for pixels, maps in ((view, field.maps["sigma"]), (image, sigma), (view, sigma)):
        got = way.filter(pixels, KernelField(Gaussian(sigma=maps)))
        assert got.dtype == pixels.dtype
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(view, before[0])
    np.testing.assert_array_equal(sigma, before[1])


@EVERY
@pytest.mark.parametrize("shape", [(29, 131), (1, 29, 131), (3, 29, 131)])
@pytest.mark.parametrize("kept", [(29, 1), (1, 131), (1, 1)])
def test_maps_may_be_views_of_one_value(
    way: Way, shape: tuple[int, ...], kept: tuple[int, int], rng: np.random.Generator
) -> None:
    image, _ = SCENES["odd"]
    sigma = np.broadcast_to(rng.uniform(0, 3, kept).astype(np.float32), shape)
    field = KernelField(Gaussian(sigma=sigma))
    way.allowed(image, field)
    got = way.filter(image, field)
    np.testing.assert_array_equal(got, way.filter(image, KernelField(Gaussian(sigma=sigma.copy()))))
    if kept == (1, 1):
        one = KernelField(Gaussian(sigma=float(sigma.flat[0])))
        np.testing.assert_array_equal(got, way.filter(image, one))


@EVERY
def test_an_image_may_be_a_view_of_one_value(way: Way) -> None:
    _, field = SCENES["odd"]
    flat = np.broadcast_to(np.float32(0.7), (3, 29, 131))
    way.allowed(flat, field)
    assert_parity(way.filter(flat, field), flat, maximum=1e-6)


@EVERY
def test_half_precision_is_float32_rounded_once(way: Way) -> None:
    image, field = SCENES["odd"]
    half = image.astype(np.float16)
    way.allowed(half, field)
    expected = way.filter(half.astype(np.float32), field).astype(np.float16)
    np.testing.assert_array_equal(way.filter(half, field), expected)
    tensor = torch.from_numpy(half)
    np.testing.assert_array_equal(way.filter(tensor, field).numpy(), expected)


@EVERY
@pytest.mark.parametrize("value", [3.4e38, -3.4028235e38])
def test_the_largest_numbers_stay_within_their_kernels(
    way: Way, value: float, rng: np.random.Generator
) -> None:
    """Rasters mark what is missing by the least float32: it must not become NaN all around."""
    image = rng.random((12, 40), dtype=np.float32)
    image[:, :20] = value
    image[:, 33:36] = 1e-24, -0.0, -1e-24  # sharp, and beside what is not
    sigma = np.zeros((12, 40), np.float32)
    sigma[:, 8:12], sigma[:, 30:32] = 1, 2
    field = KernelField(Gaussian(sigma=sigma))
    allowed = way.allowed(image, field)
    got = way.filter(image, field)
    np.testing.assert_array_equal(got[sigma == 0], image[sigma == 0])
    truth = filter_image(image.astype(np.float64), field, engine="reference")
    assert (np.signbit(got) == np.signbit(image))[sigma == 0].all()
    beyond = allowed * abs(value) if way.tolerance else 1e-5  # a blend reaches beyond its kernel
    np.testing.assert_allclose(got, truth, rtol=1e-5, atol=beyond)


@EVERY
def test_tiny_numbers_are_not_lost(way: Way, rng: np.random.Generator) -> None:
    image = rng.random((12, 40), dtype=np.float32) * np.float32(1e-30)
    field = rough_field(Gaussian, (12, 40), rng)
    allowed = way.allowed(image, field)
    truth = filter_image(image.astype(np.float64), field, engine="reference")
    np.testing.assert_allclose(way.filter(image, field), truth, rtol=0, atol=1e-30 * allowed)
