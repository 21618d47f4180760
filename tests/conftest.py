"""Fixtures and helpers that all tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from svfilter import compiled, devices

SAMPLES = Path(__file__).parent.parent / "sample_images"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked gpu where there is none, with the reason."""
    if reason := devices.why_not("cuda"):
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def compiled_code() -> None:
    """Fill the user's cache before the first test, which may not expect to be told of it."""
    if compiled.missing() is None:
        from svfilter.compiled.machine import ARGUMENTS

        for name in ARGUMENTS:
            compiled.kernel(name)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(
    params=[
        "cpu",
        pytest.param("cuda", marks=pytest.mark.gpu),
    ]
)
def device(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def photo(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A small 8-bit RGB PNG, as rough as noise, in a folder of its own."""
    path = tmp_path / "photo.png"
    Image.fromarray(rng.integers(0, 256, (23, 31, 3), dtype=np.uint8)).save(path)
    return path


def assert_parity(actual: np.ndarray, expected: np.ndarray, *, maximum: float) -> None:
    """Check shape, finiteness, largest error and relative RMS error of a result."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"shape {actual.shape}, not {expected.shape}"
    assert np.isfinite(actual).all(), "some values are not finite"
    difference = actual.astype(np.float64) - expected.astype(np.float64)
    worst = np.abs(difference).max()
    assert worst <= maximum, f"largest error {worst:.3g} is over {maximum:.3g}"
    scale = np.sqrt(np.mean(expected.astype(np.float64) ** 2))
    rms = np.sqrt(np.mean(difference**2))
    assert rms <= maximum * max(scale, 1e-3), f"relative RMS error {rms / scale:.3g} is too large"
