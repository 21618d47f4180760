"""Kernels that a user brings: every form against plain loops, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
from arrays import reader
from conftest import assert_parity
from PIL import Image

from svfilter import KernelField, filter_image
from svfilter.compiled.functions import TOGETHER
from svfilter.compiled.machine import LANES
from svfilter.errors import ImageReadError, InvalidArgument
from svfilter.images.reading import open_image
from svfilter.kernels import FAMILIES
from svfilter.kernels.base import Family
from svfilter.kernels.stored import Basis, Codebook, Dense, Grid
from svfilter.maps import Maps
from svfilter.maps.bringing import Brought, read_kernels
from svfilter.maps.stored import Indices, Nodes, Planes
from svfilter.tiles import Window, plan

PADDING = {"constant": "constant", "replicate": "edge", "reflect": "reflect", "circular": "wrap"}
"""NumPy's words for the boundaries."""
MODES = ["gather", "scatter"]


@dataclass(frozen=True)
class Form:
    """A family of stored kernels, and every pixel's own kernel, found without it."""

    family: Family
    kernels: np.ndarray  # [H, W, k, k]

    @property
    def most(self) -> float:
        """The largest sum of absolute weights."""
        return float(np.abs(self.kernels).sum((-2, -1)).max())


def stationary(rng: np.random.Generator, shape: tuple[int, int], k: int) -> Form:
    kernel = rng.standard_normal((k, k))
    return Form(Codebook(kernels=kernel), np.broadcast_to(kernel, (*shape, k, k)))


def codebook(rng: np.random.Generator, shape: tuple[int, int], k: int) -> Form:
    kernels, index = rng.standard_normal((5, k, k)), rng.integers(0, 5, shape)
    return Form(Codebook(kernels=kernels, index=index), kernels[index])


def grid(rng: np.random.Generator, shape: tuple[int, int], k: int) -> Form:
    nodes = rng.standard_normal((3, 2, k, k))
    row, column = (rng.uniform(0, n, shape).astype(np.float32).astype(float) for n in (2, 1))
    row[0, 0] = 2
    own = np.zeros((*shape, k, k))
    for y, x in np.ndindex(shape):
        for i, j in np.ndindex(3, 2):
            near = max(1 - abs(row[y, x] - i), 0) * max(1 - abs(column[y, x] - j), 0)
            own[y, x] += near * nodes[i, j]
    return Form(Grid(kernels=nodes, row=row, column=column), own)


def basis(
    rng: np.random.Generator, shape: tuple[int, int], k: int, rank: int = 2 * TOGETHER + 1
) -> Form:
    kernels = rng.standard_normal((rank, k, k))
    coefficients = rng.standard_normal((rank, *shape))
    own = sum(c[..., None, None] * kernel for c, kernel in zip(coefficients, kernels, strict=True))
    return Form(Basis(kernels=kernels, coefficients=tuple(coefficients)), own)


def dense(rng: np.random.Generator, shape: tuple[int, int], k: int) -> Form:
    taps = rng.standard_normal((k, k, *shape))
    return Form(Dense(taps=taps.reshape(k * k, *shape)), taps.transpose(2, 3, 0, 1))


FORMS: list[Callable[..., Form]] = [stationary, codebook, grid, basis, dense]


def by_loops(image: np.ndarray, own: np.ndarray, mode: str, boundary: str) -> np.ndarray:
    """Filter [H, W] pixel by pixel and tap by tap."""
    height, width, k, _ = own.shape
    r = k // 2
    around = {"pad_width": r, "mode": PADDING[boundary]}
    pixels = np.pad(image, **around)
    out = np.zeros((height, width))
    if mode == "gather":
        for y, x, i, j in np.ndindex(own.shape):
            out[y, x] += own[y, x, i, j] * pixels[y + i, x + j]
        return out
    owners = np.pad(np.arange(height * width).reshape(height, width), **around)
    spread = np.zeros((height + 4 * r, width + 4 * r))
    for y, x in np.ndindex(pixels.shape):
        kernel = own.reshape(-1, k, k)[owners[y, x]]
        spread[y : y + k, x : x + k] += kernel * pixels[y, x]
    return spread[2 * r : 2 * r + height, 2 * r : 2 * r + width]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (60, 5)], ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_agrees_with_plain_loops(
    form: Callable[..., Form], shape: tuple[int, int], mode: Any, rng: np.random.Generator
) -> None:
    made, image = form(rng, shape, 5), rng.random(shape, dtype=np.float32)
    field, given = KernelField(made.family), image.astype(np.float64)
    for boundary in ("constant", "replicate"):
        expected = by_loops(given, made.kernels, mode, boundary)
        for engine, pixels, error in (
            ("reference", given, 1e-13),
            ("unfold", given, 1e-13),
            ("unfold", image, 1e-5),
            ("direct", image, 1e-5),
        ):
            got = filter_image(pixels, field, mode=mode, boundary=boundary, engine=engine)
            np.testing.assert_allclose(got, expected, rtol=0, atol=error * made.most)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("k", [1, LANES - 1, 2 * LANES + 3])
def test_kernels_of_any_number_of_vectors(
    form: Callable[..., Form], k: int, mode: Any, rng: np.random.Generator
) -> None:
    made, image = form(rng, (3, 9), k), rng.random((5, 3, 9), dtype=np.float32)
    got = filter_image(image, KernelField(made.family), mode=mode, engine="direct")
    for plane, result in zip(image.astype(np.float64), got, strict=True):
        expected = by_loops(plane, made.kernels, mode, "replicate")
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * made.most)


@pytest.mark.parametrize("engine", ["reference", "unfold", "direct"])
@pytest.mark.parametrize("size", [(3, 3), (1, 5), (4, 4), (2, 7), (6, 1)], ids=str)
def test_a_stationary_kernel_is_scipys_correlation(
    size: tuple[int, int], engine: str, rng: np.random.Generator
) -> None:
    kernel, image = rng.standard_normal(size), rng.random((11, 17))
    for boundary, word in (("replicate", "nearest"), ("circular", "wrap"), ("reflect", "mirror")):
        expected = scipy.ndimage.correlate(image, kernel, mode=word)
        pixels = image.astype(np.float32) if engine == "direct" else image
        got = filter_image(
            pixels, KernelField(Codebook(kernels=kernel)), boundary=boundary, engine=engine
        )
        assert_parity(got, expected, maximum=3e-6 if engine == "direct" else 1e-13)


@pytest.mark.parametrize("boundary", ["constant", "circular"])
@pytest.mark.parametrize("form", FORMS)
def test_scattering_is_the_adjoint_of_gathering(
    form: Callable[..., Form], boundary: str, rng: np.random.Generator
) -> None:
    field = KernelField(form(rng, (7, 13), 5).family)
    x, y = rng.random((2, 7, 13))
    options = {"boundary": boundary, "engine": "unfold"}
    gathered = filter_image(x, field, **options)
    scattered = filter_image(y, field, mode="scatter", **options)
    np.testing.assert_allclose((gathered * y).sum(), (x * scattered).sum(), rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", FORMS)
def test_memory_and_jobs_leave_no_trace(
    form: Callable[..., Form], mode: Any, rng: np.random.Generator
) -> None:
    image = rng.random((3, 150, 40), dtype=np.float32)
    field = KernelField(form(rng, (150, 40), 5).family)
    whole = filter_image(image, field, mode=mode, engine="direct", jobs=1)
    for options in ({"jobs": 3}, {"memory": 2**18, "jobs": 1}, {"memory": 2**19, "jobs": 2}):
        again = filter_image(image, field, mode=mode, engine="direct", **options)
        np.testing.assert_array_equal(again, whole)
    image, field = image[:, :40, :30], field.window(Window(0, 0, 40, 30))
    whole = filter_image(image, field, mode=mode, engine="unfold")
    again = filter_image(image, field, mode=mode, engine="unfold", memory=2**18)
    np.testing.assert_array_equal(again, whole)


@pytest.mark.parametrize("mode", MODES)
def test_every_channel_may_have_its_own_index(mode: Any, rng: np.random.Generator) -> None:
    image, kernels = rng.random((3, 9, 8), dtype=np.float32), rng.standard_normal((4, 3, 3))
    index = rng.integers(0, 4, image.shape)
    for engine in ("direct", "unfold", "reference"):
        field = KernelField(Codebook(kernels=kernels, index=index))
        got = filter_image(image, field, mode=mode, engine=engine)
        for c in range(3):
            expected = by_loops(image[c].astype(float), kernels[index[c]], mode, "replicate")
            np.testing.assert_allclose(got[c], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("engine", ["reference", "unfold", "direct"])
@pytest.mark.parametrize("mode", MODES)
def test_the_identity_is_exact(engine: str, mode: Any, rng: np.random.Generator) -> None:
    image = rng.standard_normal((3, 7, 13)).astype(np.float32)
    delta = np.zeros((5, 5))
    delta[2, 2] = 1
    two = np.stack([delta, np.full((5, 5), 0.3)])
    taps = np.broadcast_to(delta.reshape(-1, 1, 1), (25, 7, 13))
    for family in (
        Codebook(kernels=delta),
        Grid(kernels=two[:, None], row=np.zeros((7, 13))),
        Basis(kernels=two, coefficients=(1.0, 0.0)),
        Dense(taps=taps),
        Dense(taps=(1.0,)),
    ):
        got = filter_image(image, KernelField(family), mode=mode, engine=engine)
        np.testing.assert_array_equal(got, image)


def test_a_grid_at_its_nodes_is_the_nodes_kernel_and_halfway_the_mean(
    rng: np.random.Generator,
) -> None:
    nodes = rng.standard_normal((3, 4, 5, 5))
    d = np.arange(-2.0, 3.0)
    dy, dx = d[:, None], d[None]
    for i, j in np.ndindex(3, 4):
        at = Grid(kernels=nodes, row=np.float64(i), column=np.float64(j))
        np.testing.assert_array_equal(at.weights(dy, dx), nodes[i, j])
        one = Codebook(kernels=nodes.reshape(-1, 5, 5), index=np.float64(4 * i + j))
        np.testing.assert_array_equal(one.weights(dy, dx), nodes[i, j])
    half = Grid(kernels=nodes, row=np.float64(1.5), column=np.float64(2.5))
    mean = nodes[1:3, 2:4].mean((0, 1))
    np.testing.assert_allclose(half.weights(dy, dx), mean, rtol=0, atol=1e-15)
    alone = Grid(kernels=nodes[:1], column=np.float64(0.5))
    np.testing.assert_allclose(alone.weights(dy, dx), nodes[0, :2].mean(0), rtol=0, atol=1e-15)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", FORMS)
def test_nan_and_infinities_are_seen_by_weights_of_any_sign(
    form: Callable[..., Form], mode: Any, rng: np.random.Generator
) -> None:
    made = form(rng, (15, 40), 3)
    image = rng.random((15, 40), dtype=np.float32)
    image[[2, 2, 7, 7, 11, 13], [5, 6, 20, 21, 30, 2]] = [np.nan] * 2 + [np.inf, np.inf, -np.inf, 9]
    field = KernelField(made.family)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        expected = filter_image(image, field, mode=mode, engine="reference")
    for engine in ("direct", "unfold"):
        got = filter_image(image, field, mode=mode, engine=engine)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)
    assert 0 < np.isnan(expected).sum() < np.isfinite(expected).sum()


def test_weights_that_cancel_do_not_hide_nan() -> None:
    image = np.zeros((5, 9), np.float32)
    image[2, 3:6] = np.nan
    edge = np.array([[1.0, 0.0, -1.0]])
    got = filter_image(image, KernelField(Codebook(kernels=edge)), engine="direct")
    np.testing.assert_array_equal(np.isnan(got[2]), [0, 0, 1, 1, 1, 1, 1, 0, 0])
    assert np.isfinite(got[[0, 1, 3, 4]]).all()


def test_products_too_large_for_float32_may_still_cancel() -> None:
    image = np.full((3, 7), 1e37, np.float32)
    field = KernelField(Codebook(kernels=np.array([[40.0, 1.0, -40.0]])))
    np.testing.assert_allclose(filter_image(image, field, engine="direct"), image, rtol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_gradients_reach_coefficients_and_taps(mode: Any, rng: np.random.Generator) -> None:
    image = torch.from_numpy(rng.random((2, 3))).requires_grad_()
    kernels = rng.standard_normal((3, 3, 3))

    def learned(shape: tuple[int, ...]) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal(shape)).requires_grad_()

    def by(family: Family) -> torch.Tensor:
        return filter_image(image, KernelField(family), mode=mode)

    assert torch.autograd.gradcheck(
        lambda _, c: by(Basis(kernels=kernels, coefficients=tuple(c))),
        (image, learned((3, 2, 3))),
    )
    assert torch.autograd.gradcheck(lambda _, t: by(Dense(taps=t)), (image, learned((9, 2, 3))))


def test_kernels_of_torch_are_kernels(rng: np.random.Generator) -> None:
    kernels, image = rng.standard_normal((2, 3, 3)), torch.from_numpy(rng.random((6, 7)))
    index = torch.from_numpy(rng.integers(0, 2, (6, 7)))
    got = filter_image(image, KernelField(Codebook(kernels=torch.tensor(kernels), index=index)))
    expected = by_loops(image.numpy(), kernels[index.numpy()], "gather", "replicate")
    np.testing.assert_allclose(got.numpy(), expected, rtol=0, atol=1e-13)
    with pytest.raises(InvalidArgument, match="^kernels get no gradient: give kernels.detach"):
        Codebook(kernels=torch.tensor(kernels, requires_grad=True))


ONE = np.ones((3, 3))
MANY = np.ones((4, 3, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Codebook(kernels=ONE[0]), r"^kernels must be \[N, kh, kw\] .* shape \[3\]"),
        (lambda: Codebook(kernels=MANY[:, :0]), r"^kernels must be .* shape \[4, 0, 3\]"),
        (lambda: Codebook(kernels=[[1.0]]), "^kernels must be an array .* list"),
        (lambda: Codebook(kernels=ONE * 1j), "^kernels must be .* complex128"),
        (lambda: Codebook(kernels=ONE * np.nan), "^kernels must lie in .* nan"),
        (lambda: Codebook(kernels=ONE * 1e10), r"^kernels must lie in -1e\+09 to 1e\+09"),
        (lambda: Codebook(kernels=MANY, index=4.0), "^index must lie in 0 to 3, .* but is 4$"),
        (lambda: Codebook(kernels=MANY, index=np.array([[-1, 2]])), "^index .* but is -1 to 2$"),
        (lambda: Codebook(kernels=MANY, index=np.nan), "^index must lie in .* nan$"),
        (lambda: Codebook(kernels=MANY, index=0.5), "^index must be whole numbers"),
        (lambda: Codebook(kernels=MANY, index="2"), "^index must be a number or an array"),
        (lambda: Codebook(kernels=MANY, index=np.zeros((2, 3))), r"^index must be .* \[2, 3\]"),
        (lambda: Grid(kernels=MANY), r"^kernels must be \[gy, gx, kh, kw\]"),
        (lambda: Grid(kernels=MANY[None], row=0.1), "^row must lie in 0 to 0"),
        (lambda: Grid(kernels=MANY[None], column=3.1), "^column must lie in 0 to 3"),
        (lambda: Basis(kernels=MANY, coefficients=1.0), "^coefficients must be several maps"),
        (lambda: Basis(kernels=MANY, coefficients=(1.0,)), "^coefficients must be 4 maps.* are 1$"),
        (
            lambda: Basis(kernels=MANY, coefficients=(0.0, 0.0, np.full((2, 2), np.inf), 0.0)),
            r"^coefficients\[2\] must lie in",
        ),
        (lambda: Dense(taps=np.zeros((8, 2, 2))), "^taps must be as many as an odd square .* 8$"),
        (lambda: Dense(taps=np.zeros((4, 2, 2))), "^taps must be .* are 4$"),
        (lambda: Dense(taps=np.zeros((9, 2, 3))), r"^taps\[0\] must be .* \[2, 3\]"),
        (lambda: Dense(taps=(np.nan,)), r"^taps\[0\] must lie in .* nan"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(make: Callable[[], Family], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        filter_image(np.zeros((2, 2)), KernelField(make()))


def test_inputs_are_not_modified(rng: np.random.Generator) -> None:
    kernels, index = rng.standard_normal((3, 3, 3)), rng.integers(0, 3, (6, 7))
    before = kernels.copy(), index.copy()
    for engine in ("direct", "unfold"):
        image = rng.random((6, 7), dtype=np.float32)
        filter_image(image, KernelField(Codebook(kernels=kernels, index=index)), engine=engine)
    np.testing.assert_array_equal(kernels, before[0])
    np.testing.assert_array_equal(index, before[1])


def test_what_a_user_brings_is_not_among_the_families_that_need_nothing() -> None:
    assert not {Basis, Codebook, Dense, Grid} & set(FAMILIES.values())


def pieces(brought: Brought, shape: tuple[int, int]) -> Iterator[tuple[Window, Family]]:
    """Give the family of each window of an image, as the pipeline makes it."""
    image = reader(np.zeros(shape, np.uint8))
    with Maps(brought.drivers, image, open_image) as maps:
        for window in plan(*shape, 5, 8):
            given: dict[str, Any] = {}
            for name, value in maps.read(window).items():
                assert value.dtype == np.float32
                assert value.shape == (1, *window[2:])
                low, high = maps.spans[name]
                assert low <= value.min() <= value.max() <= high
                whole, _, place = name.partition("[")
                given[whole] = (*given.get(whole, ()), value[0]) if place else value[0]
            yield window, brought.family(**given, **brought.constants)


def assert_same(brought: Brought, expected: Form) -> None:
    """Check the kernel of every pixel."""
    own = expected.kernels
    reach = own.shape[-1] // 2
    d = np.arange(-reach, reach + 1, dtype=np.float32)
    for window, family in pieces(brought, own.shape[:2]):
        assert family.reach() == reach
        got = family.weights(d[:, None, None, None], d[None, :, None, None])
        part = own[window.rows, window.cols].transpose(2, 3, 0, 1)
        got = np.broadcast_to(got.reshape(*got.shape[:2], *got.shape[-2:]), part.shape)
        np.testing.assert_allclose(got, part, rtol=0, atol=1e-5)


SHAPE = (7, 13)


def everywhere(kernel: np.ndarray) -> Form:
    return Form(Codebook(kernels=kernel), np.broadcast_to(kernel, (*SHAPE, *kernel.shape)))


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".npy", ".npz"])
def test_one_kernel_is_read_as_it_is(suffix: str, tmp_path: Path, rng: np.random.Generator) -> None:
    kernel, path = rng.standard_normal((3, 3)), tmp_path / f"kernel{suffix}"
    if suffix == ".npz":
        np.savez(path, kernels=kernel)
    elif suffix == ".npy":
        np.save(path, kernel)
    else:
        np.savetxt(path, kernel, delimiter="," if suffix == ".csv" else " ", header="a kernel")
    assert_same(read_kernels(str(path)), everywhere(kernel))


def test_a_row_in_a_text_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "row.txt").write_text("1 2 4\n")
    expected = np.array([[0, 0, 0], [1.0, 2, 4], [0, 0, 0]])
    assert_same(read_kernels(str(tmp_path / "row.txt")), everywhere(expected))


def test_the_kernel_of_an_image_is_divided_by_its_sum(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    stored = rng.integers(0, 256, (5, 5), dtype=np.uint8)
    Image.fromarray(stored).save(tmp_path / "kernel.png")
    assert_same(read_kernels(str(tmp_path / "kernel.png")), everywhere(stored / stored.sum()))
    Image.fromarray(stored * 0).save(tmp_path / "black.png")
    with pytest.raises(InvalidArgument, match="black.png: .* sum, which must be above 0, but is 0"):
        read_kernels(str(tmp_path / "black.png"))


@pytest.mark.parametrize("kind", ["npy", "npz", "png", "tif"])
def test_a_codebook_is_read_with_its_index(
    kind: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    kernels, index = rng.standard_normal((5, 3, 3)), rng.integers(0, 5, SHAPE)
    path, at = tmp_path / "kernels.npy", tmp_path / f"index.{kind}"
    np.save(path, kernels)
    if kind == "npz":
        np.savez(at, kernels=kernels, index=index)
    elif kind == "npy":
        np.save(at, index)
    else:
        Image.fromarray(index.astype(np.uint8 if kind == "png" else np.uint16)).save(at)
    brought = read_kernels(str(at)) if kind == "npz" else read_kernels(str(path), index=str(at))
    assert_same(brought, Form(Codebook(kernels=kernels), kernels[index]))


def test_a_grid_spans_the_image(tmp_path: Path, rng: np.random.Generator) -> None:
    nodes = rng.standard_normal((3, 5, 3, 3))
    np.save(tmp_path / "grid.npy", nodes)
    own = np.zeros((*SHAPE, 3, 3))
    for y, x in np.ndindex(SHAPE):
        for i, j in np.ndindex(3, 5):
            away = abs(y - 6 * i / 2) / 3, abs(x - 12 * j / 4) / 3
            own[y, x] += max(1 - away[0], 0) * max(1 - away[1], 0) * nodes[i, j]
    assert_same(read_kernels(str(tmp_path / "grid.npy")), Form(Grid(kernels=nodes), own))


def test_a_grid_of_one_node_is_constant_along_its_axis() -> None:
    with Maps([Nodes(1, 3)], reader(np.zeros((1, 5), np.uint8)), open_image) as maps:
        values = maps.read(Window(0, 0, 1, 5))
    np.testing.assert_array_equal(values["row"], np.zeros((1, 1, 5)))
    np.testing.assert_array_equal(values["column"][0, 0], [0, 0.5, 1, 1.5, 2])


@pytest.mark.parametrize("together", [False, True])
def test_a_basis_is_read_with_its_coefficients(
    together: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    made = basis(rng, SHAPE, 3, rank=3)
    kernels, coefficients = made.family.kernels.values, np.stack(made.family.coefficients)
    one, other = tmp_path / "kernels.npz", tmp_path / "coefficients.npy"
    if together:
        np.savez(one, kernels=kernels, coefficients=coefficients)
        brought = read_kernels(str(one))
    else:
        np.savez(one, kernels=kernels)
        np.save(other, coefficients)
        brought = read_kernels(str(one), coefficients=str(other))
    assert_same(brought, made)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_dense_taps_are_read_window_by_window(
    suffix: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    made = dense(rng, SHAPE, 3)
    path = tmp_path / f"taps.{suffix}"
    taps = np.stack(made.family.taps)
    np.save(path, taps) if suffix == "npy" else np.savez(path, kernels=taps)
    brought = read_kernels(str(path))
    assert brought.family is Dense
    assert_same(brought, made)


def save(folder: Path, **arrays: np.ndarray) -> None:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("none.npy", {}, "none.npy: cannot be read: No such file"),
        ("-", {}, r"from - \(stdin\)"),
        ("words.txt", {}, "words.txt: is no matrix of numbers"),
        ("empty.txt", {}, "empty.txt: is no matrix of numbers: it is empty"),
        ("damaged.npy", {}, "damaged.npy: is no .npy or .npz of numbers"),
        ("objects.npy", {}, "objects.npy: is no .npy or .npz of numbers"),
        ("complex.npy", {}, "complex.npy: it must hold real numbers, but holds complex128"),
        ("other.npz", {}, "other.npz: has no array named kernels, but a"),
        ("both.npz", {}, "both.npz: holds index: no others"),
        ("nan.npy", {}, "nan.npy: kernels must lie in .* nan"),
        ("five.npy", {}, r"five.npy: kernels must be .* \[1, 1, 1, 3, 3\]"),
        ("many.npy", {}, "many.npy: 4 planes are not the taps .* give their index"),
        ("nine.npy", {}, r"nine.npy: taps must have shape \[9, 7, 13\] .* \[9, 3, 3\]; if"),
        ("one.npy", {"index": "low.npy"}, "one.npy: an index or coefficients are for"),
        ("many.npy", {"index": "a", "coefficients": "b"}, "exclude each other"),
        ("many.npy", {"index": "low.npy"}, "low.npy: an index must lie in 0 to 3, .* -1 to 0"),
        ("many.npy", {"index": "high.png"}, "high.png: an index must lie in 0 to 3, .* 0 to 4"),
        ("many.npy", {"index": "floats.npy"}, "floats.npy: an index map must be one plane of int"),
        ("many.npy", {"index": "rgb.png"}, "rgb.png: an index map must be .* but is 8-bit RGB"),
        ("many.npy", {"index": "small.npy"}, "small.npy: the index map of 3 x 2 pixels"),
        ("many.npy", {"coefficients": "few.npy"}, r"few.npy: coefficients must have shape \[4, 7"),
        ("many.npy", {"coefficients": "wild.npy"}, r"wild.npy: .* finite, but coefficients\[2\]"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_name(
    name: str, given: dict[str, str], message: str, tmp_path: Path
) -> None:
    wild = np.zeros((4, *SHAPE))
    wild[2, 3, 4] = np.inf
    low, high = np.zeros((2, *SHAPE), np.int64)
    low[1, 1], high[6, 12] = -1, 4
    save(tmp_path, one=ONE, many=MANY, nine=np.ones((9, 3, 3)), five=ONE[None, None, None])
    save(tmp_path, complex=ONE * 1j, nan=ONE * np.nan, low=low, floats=low * 0.5, wild=wild)
    save(tmp_path, small=low[:2, :3], few=wild[:3])
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    np.savez(tmp_path / "other.npz", a=ONE)
    np.savez(tmp_path / "both.npz", kernels=MANY, index=low, coefficients=wild)
    (tmp_path / "words.txt").write_text("1 2\n3 four\n")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "damaged.npy").write_bytes((tmp_path / "many.npy").read_bytes()[:200])
    Image.fromarray(high.astype(np.uint8)).save(tmp_path / "high.png")
    Image.fromarray(np.zeros((*SHAPE, 3), np.uint8)).save(tmp_path / "rgb.png")
    given = {option: str(tmp_path / file) for option, file in given.items()}
    with pytest.raises((InvalidArgument, ImageReadError), match=message):
        list(pieces(read_kernels(name if name == "-" else str(tmp_path / name), **given), SHAPE))


def test_drivers_say_what_they_give_before_they_are_opened() -> None:
    assert Indices("a.npy", 4).gives == {"index": (0, 3)}
    assert Nodes(3, 1).gives == {"row": (0, 2), "column": (0, 0)}
    assert Planes("taps", "a.npy", 2).gives == {"taps[0]": None, "taps[1]": None}
    assert Planes("taps", "a.npy", 2).sources == Indices("a.npy", 4).sources == ("a.npy",)
