"""Gradients of filter_image in the image and in every per-pixel parameter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import SCATTERING, VARIANTS, Variant

from svfilter import Gaussian, KernelField, filter_image
from svfilter.engines.base import Mode
from svfilter.kernels.base import Family
from svfilter.kernels.bilateral import Bilateral
from svfilter.kernels.elliptical import Elliptical
from svfilter.kernels.moffat import Moffat
from svfilter.tiles import BOUNDARIES


def leaves(rng: np.random.Generator, image: tuple[int, ...], maps: tuple[int, ...]) -> list:
    """Give an image and a sigma map in float64, away from where the radius jumps."""
    sigma = rng.uniform(0, 2, maps)
    jumps = np.abs((4 * sigma + 0.5) % 1 - 0.5) > 0.45  # 4σ + ½ near a whole number
    sigma[jumps] += 0.05
    x = torch.from_numpy(rng.random(image)).requires_grad_()
    return [x, torch.from_numpy(sigma).requires_grad_()]


def blur(image: torch.Tensor, sigma: torch.Tensor, **options: object) -> torch.Tensor:
    return filter_image(image, KernelField(Gaussian(sigma=sigma)), **options)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_gradcheck_in_image_and_sigma(boundary: str, rng: np.random.Generator) -> None:
    inputs = leaves(rng, (2, 5, 6), (5, 6))
    assert torch.autograd.gradcheck(lambda x, s: blur(x, s, boundary=boundary), inputs)


@pytest.mark.parametrize("maps", [(2, 4, 5), (1, 4, 5), ()])
def test_gradcheck_of_maps_that_broadcast(maps: tuple[int, ...], rng: np.random.Generator) -> None:
    x, _ = leaves(rng, (2, 4, 5), (4, 5))
    sigma = torch.full(maps, 0.8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(blur, (x, sigma))


def test_gradgradcheck(rng: np.random.Generator) -> None:
    assert torch.autograd.gradgradcheck(blur, leaves(rng, (3, 4), (3, 4)))


BOTH_MODES = [
    *((variant, "gather") for variant in VARIANTS),
    *((variant, "scatter") for variant in SCATTERING),
]


def parameters(
    variant: Variant, shape: tuple[int, int], rng: np.random.Generator
) -> dict[str, torch.Tensor]:
    """Give float64 maps drawn from the inside of each range: no kinks or jumps are hit."""
    maps = {}
    for name, values in variant.field(shape, rng, 0.4).maps.items():
        low, high = (0.3, 0.9) if name == "sigma_range" else (values.min(), values.max())
        drawn = rng.uniform(low + 0.15 * (high - low), high, shape)
        maps[name] = torch.from_numpy(drawn).requires_grad_()
    return maps


def differentiable(variant: Variant, names: list[str], **options: object):
    """Give the filter as a function of an image and parameters."""

    def apply(image: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        maps = dict(zip(names, values, strict=True))
        field = KernelField(variant.kind(**maps, **dict(variant.constants)))
        return filter_image(image, field, **options)

    return apply


@pytest.mark.parametrize("boundary", ["constant", "reflect"])
@pytest.mark.parametrize(("variant", "mode"), BOTH_MODES, ids=str)
def test_gradcheck_in_image_and_every_parameter(
    variant: Variant, mode: Mode, boundary: str, rng: np.random.Generator
) -> None:
    image = torch.from_numpy(rng.random((2, 4, 5))).requires_grad_()
    maps = parameters(variant, (4, 5), rng)
    apply = differentiable(variant, list(maps), mode=mode, boundary=boundary)
    assert torch.autograd.gradcheck(apply, (image, *maps.values()), fast_mode=True)
    apply(image, *maps.values()).square().sum().backward()
    assert all(leaf.grad.abs().max() > 1e-4 for leaf in (image, *maps.values()))


def test_gradcheck_of_light_divided_by_its_weights(rng: np.random.Generator) -> None:
    def apply(image: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return blur(image, sigma, mode="scatter", normalise="weights")

    assert torch.autograd.gradcheck(apply, leaves(rng, (2, 4, 5), (4, 5)), fast_mode=True)
    assert torch.autograd.gradcheck(apply, leaves(rng, (2, 4, 5), (2, 4, 5)), fast_mode=True)


def test_gradcheck_in_a_guide(rng: np.random.Generator) -> None:
    def apply(image: torch.Tensor, guide: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        field = KernelField(Bilateral(sigma_space=1.3, sigma_range=values))
        return filter_image(image, field, guide=guide)

    image, guide = (torch.from_numpy(rng.random((2, 5, 6))).requires_grad_() for _ in range(2))
    values = torch.from_numpy(rng.uniform(0.2, 0.9, (5, 6))).requires_grad_()
    assert torch.autograd.gradcheck(apply, (image, guide, values))
    assert torch.autograd.gradcheck(lambda g: apply(image.detach(), g, values.detach()), (guide,))


@pytest.mark.parametrize(
    ("kind", "mode"), [(Elliptical, "gather"), (Moffat, "scatter"), (Bilateral, "gather")]
)
def test_gradgradcheck_of_families(
    kind: type[Family], mode: Mode, rng: np.random.Generator
) -> None:
    variant = next(variant for variant in VARIANTS if variant.kind is kind)
    image = torch.from_numpy(rng.random((3, 4))).requires_grad_()
    maps = parameters(variant, (3, 4), rng)
    apply = differentiable(variant, list(maps), mode=mode)
    assert torch.autograd.gradgradcheck(apply, (image, *maps.values()), fast_mode=True)


@pytest.mark.parametrize(("variant", "mode"), BOTH_MODES, ids=str)
def test_gradients_are_finite_at_the_ends_of_the_range(
    variant: Variant, mode: Mode, rng: np.random.Generator
) -> None:
    field = variant.field((9, 9), rng).transform(
        lambda v: torch.from_numpy(v).float().requires_grad_()
    )
    image = torch.from_numpy(rng.random((9, 9), dtype=np.float32)).requires_grad_()
    filter_image(image, field, mode=mode).square().sum().backward()
    for leaf in (image, *field.maps.values()):
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()


def test_a_tiny_sigma_has_the_gradient_zero() -> None:
    sigma = torch.tensor([[1e-30, 1e-3], [0.1, 2.0]], requires_grad=True)
    blur(torch.rand(2, 2), sigma).sum().backward()  # the last one makes the others see far taps
    assert sigma.grad is not None
    assert sigma.grad[1, 1] != 0
    torch.testing.assert_close(sigma.grad.flatten()[:3], torch.zeros(3), rtol=0, atol=0)


def test_a_pixel_left_untouched_passes_its_gradient_through() -> None:
    image = torch.ones(4, 4, requires_grad=True)
    sigma = torch.zeros(4, 4, requires_grad=True)
    blur(image, sigma).sum().backward()
    assert image.grad is not None
    assert sigma.grad is not None
    torch.testing.assert_close(image.grad, torch.ones(4, 4), rtol=0, atol=0)
    torch.testing.assert_close(sigma.grad, torch.zeros(4, 4), rtol=0, atol=0)


@pytest.mark.parametrize(("mode", "least"), [("gather", 2**18), ("scatter", 2**23)])
def test_gradients_do_not_depend_on_memory(mode: Mode, least: int) -> None:
    gradients = []
    for memory in (2**30, least):
        inputs = leaves(np.random.default_rng(3), (2, 40, 50), (40, 50))
        blur(*inputs, memory=memory, mode=mode).square().sum().backward()
        gradients.append([leaf.grad for leaf in inputs])
    for whole, chunked in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, chunked, rtol=0, atol=1e-12)


def test_gradients_leave_no_graph_of_the_taps_behind(rng: np.random.Generator) -> None:
    result = blur(*leaves(rng, (64, 64), (64, 64)))
    nodes, todo = set(), [result.grad_fn]
    while todo:
        node = todo.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            todo += [before for before, _ in node.next_functions]
    assert len(nodes) < 100  # kernels reach 8: 17² taps, three operations each


def test_backward_recomputes_weights_instead_of_storing_them(rng: np.random.Generator) -> None:
    stored = 0

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal stored
        stored += tensor.numel()
        return tensor

    x, sigma = leaves(rng, (64, 64), (64, 64))
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        blur(x, sigma)
    assert stored < 17 * 17 * 64 * 64 / 10  # kernels reach 8: all weights would be 17² a pixel
