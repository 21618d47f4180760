"""filter_image as an interface: kinds, dtypes, devices, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import WAYS, Way

from svfilter import Gaussian, KernelField, devices, filter_image
from svfilter.errors import EngineUnavailable, InvalidArgument

FIELD = KernelField(Gaussian(sigma=1.0))
EVERY_WAY = [Way("reference"), *WAYS]


def image(*shape: int) -> np.ndarray:
    return np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numpy_in_numpy_out(dtype: str) -> None:
    got = filter_image(image(3, 8, 9).astype(dtype), FIELD)
    assert isinstance(got, np.ndarray)
    assert got.dtype == dtype


@pytest.mark.parametrize("way", EVERY_WAY, ids=str)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_torch_in_torch_out(dtype: torch.dtype, way: Way, device: str) -> None:
    pixels = image(3, 8, 9).astype("float64" if dtype == torch.float64 else "float32")
    allowed = way.allowed(pixels, FIELD, device=device)
    tensor = torch.from_numpy(pixels).to(device=device, dtype=dtype)
    got = way.filter(tensor, FIELD)
    assert (got.dtype, got.device, got.shape) == (dtype, tensor.device, tensor.shape)
    truth = filter_image(tensor.cpu().double(), FIELD, engine="reference")
    rounding = torch.finfo(dtype).eps / 2
    assert (got.cpu().double() - truth).abs().max() <= allowed + rounding


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_half_precision_is_summed_in_float32(way: Way) -> None:
    half = torch.from_numpy(image(40, 40)).half()
    field = KernelField(Gaussian(sigma=6.0))
    allowed = way.allowed(image(40, 40), field)
    exact = filter_image(half.double(), field, engine="unfold")
    half_ulp = 2**-12  # of float16 just below 1
    assert (way.filter(half, field).double() - exact).abs().max() <= half_ulp + allowed


@pytest.mark.parametrize("way", EVERY_WAY, ids=str)
def test_an_empty_batch_gives_an_empty_result(way: Way) -> None:
    way.allowed(image(0, 3, 8, 9), FIELD)
    assert way.filter(image(0, 3, 8, 9), FIELD).shape == (0, 3, 8, 9)


def test_the_interface_is_listed() -> None:
    import svfilter

    assert {"filter_image", "Gaussian", "KernelField", "InvalidArgument"} <= set(dir(svfilter))
    assert all(hasattr(svfilter, name) for name in dir(svfilter))


def test_maps_may_be_numpy_beside_a_tensor() -> None:
    sigma = np.full((8, 9), 1.0)
    got = filter_image(torch.from_numpy(image(8, 9)), KernelField(Gaussian(sigma=sigma)))
    np.testing.assert_array_equal(got.numpy(), filter_image(image(8, 9), FIELD))


def test_maps_of_whole_numbers_are_taken_as_numbers() -> None:
    sigma = np.ones((8, 9), dtype=np.int64)
    got = filter_image(image(8, 9), KernelField(Gaussian(sigma=sigma)))
    np.testing.assert_array_equal(got, filter_image(image(8, 9), FIELD))


REFUSED: list[tuple[Any, Any, dict[str, Any], str]] = [
    ([[1.0]], 1.0, {}, "image must be a NumPy array or a torch tensor, but is a list"),
    (image(4), 1.0, {}, r"image must be \[..., H, W\] .* \[4\]"),
    (image(0, 4), 1.0, {}, r"at least one pixel, but has shape \[0, 4\]"),
    (np.ones((4, 4), np.uint8), 1.0, {}, r"floating point .* is uint8; integers"),
    (image(4, 5), np.ones((5, 4)), {}, r"sigma must .* \[..., 4, 5\] .* shape \[5, 4\]"),
    (image(4, 5), np.ones(5), {}, r"sigma must .* \[..., 4, 5\] .* shape \[5\]"),
    (image(3, 4, 5), np.ones((2, 4, 5)), {}, r"sigma of shape \[2, 4, 5\] does not broadcast"),
    (image(4, 5), np.ones((3, 4, 5)), {}, r"does not broadcast against the image's \[4, 5\]"),
    (image(4, 5), torch.ones(4, 5), {}, "sigma is a torch tensor, but image is a NumPy array"),
    (image(4, 5), [[1.0]], {}, "sigma must be a number or an array .* is of type list"),
    (image(4, 5), -1.0, {}, "sigma must lie in 0 to 1000 px, but is -1"),
    (image(4, 5), np.nan, {}, "sigma must lie in 0 to 1000 px, but is nan"),
    (image(4, 5), np.array([[1.0, np.nan]] * 4).repeat(3, 1)[:, :5], {}, "sigma .* is nan"),
    (image(4, 5), np.full((4, 5), 1e9), {}, r"sigma must lie in .* but is 1e\+09"),
    (image(4, 5), 1.0, {"boundary": "mirror"}, "boundary must be one of replicate, .* 'mirror'"),
    (image(4, 5), 1.0, {"engine": "fft"}, "engine must be auto, .* 'fft'"),
    (image(4, 5), 1.0, {"tolerance": -1e-9}, "tolerance must lie in 0 to 1, but is -1e-09"),
    (image(4, 5), 1.0, {"tolerance": 2}, "tolerance must lie in 0 to 1, but is 2"),
    (image(4, 5), 1.0, {"tolerance": np.nan}, "tolerance must lie in 0 to 1, but is nan"),
    (image(4, 5), 1.0, {"jobs": 0}, "jobs must be 1 or more, but is 0"),
    (image(4, 5), 1.0, {"device": "toaster"}, "device must be auto, cpu, .* 'toaster'"),
    (image(4, 5), 1.0, {"device": "cuda:x"}, "device must be auto, cpu, .* 'cuda:x'"),
    (torch.ones(4, 5), 1.0, {"device": "cpu"}, "device is for NumPy images"),
]


@pytest.mark.parametrize(("pixels", "sigma", "options", "message"), REFUSED)
def test_bad_arguments_are_refused_with_what_was_received(
    pixels: Any, sigma: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        filter_image(pixels, KernelField(Gaussian(sigma=sigma)), **options)


def test_a_family_without_its_field_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"field must be a KernelField, .* is a Gaussian"):
        filter_image(image(4, 5), Gaussian(sigma=1.0))


def test_truncate_out_of_range_is_refused() -> None:
    field = KernelField(Gaussian(sigma=1.0, truncate=0.0))
    with pytest.raises(InvalidArgument, match="truncate must lie in 1 to 8 sigmas, but is 0"):
        filter_image(image(4, 5), field)


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps", "xpu"])
def test_a_device_that_is_not_there_is_refused_with_the_reason(device: str) -> None:
    reason = devices.why_not(device)
    if reason is None:
        pytest.skip(f"{device} is here")
    with pytest.raises(EngineUnavailable, match=f"device {device} cannot be used: ") as caught:
        filter_image(image(4, 5), FIELD, device=device)
    assert reason in str(caught.value)


def test_default_memory_is_a_modest_share() -> None:
    assert 0 < devices.modest_memory("cpu") <= devices.MODEST_LIMIT
