"""Gradients of filter_image in the image and in every per-pixel parameter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import every_family, rough_field

from svfilter import Gaussian, KernelField, filter_image
from svfilter.kernels import FAMILIES
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


@pytest.mark.parametrize("name", every_family())
def test_gradients_are_finite_at_the_ends_of_the_range(name: str, rng: np.random.Generator) -> None:
    field = rough_field(FAMILIES[name], (9, 9), rng).transform(
        lambda v: torch.from_numpy(v).float().requires_grad_()
    )
    image = torch.from_numpy(rng.random((9, 9), dtype=np.float32)).requires_grad_()
    filter_image(image, field).square().sum().backward()
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


def test_gradients_do_not_depend_on_memory(rng: np.random.Generator) -> None:
    gradients = []
    for memory in (2**30, 2**18):
        inputs = leaves(np.random.default_rng(3), (2, 40, 50), (40, 50))
        blur(*inputs, memory=memory).square().sum().backward()
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
