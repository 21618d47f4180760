"""The result compared with the oracle's: it tells right from wrong, and only that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import LOOSE
from PIL import Image

from svfilter import Gaussian
from svfilter.engines import ENGINES
from svfilter.errors import VerificationFailed
from svfilter.kernels import FAMILIES
from svfilter.maps import Channel, Ramp
from svfilter.pipeline import Report, filter_file
from svfilter.verify import SIDE, WINDOWS

ENGINE_NAMES = ["direct", "scale_space", "unfold"]


def verify(source: Path, engine: str, *, sigma: float = 3, **options: object) -> Report:
    """Filter with a map of the image's own intensity and a look at the result."""
    target = source.with_name(f"out{source.suffix}")
    options = {"tolerance": LOOSE, "tile": 16, **options}
    spec = [Ramp("sigma", high=sigma, level=Channel(options.pop("driven_by", None)))]
    return filter_file(
        str(source), str(target), Gaussian, spec, engine=engine, verify=True, **options
    )


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch):
    """Let an engine be wrong by what a function adds to its result."""

    def spoil(name: str, change) -> None:
        kind = type(ENGINES[name])
        run = kind.run
        monkeypatch.setattr(kind, "run", lambda *args, **rest: change(run(*args, **rest)))

    return spoil


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize("boundary", ["replicate", "reflect", "circular", "constant"])
def test_a_right_result_passes(engine: str, boundary: str, photo: Path) -> None:
    report = verify(photo, engine, boundary=boundary)
    assert report.engine == engine
    assert 0 < report.error_seen <= report.bound
    assert report.windows_seen == WINDOWS


@pytest.mark.parametrize("engine", ["direct", "unfold"])
@pytest.mark.parametrize(
    ("family", "driven", "high", "mode"),
    [
        ("lens", "radius", 3, "gather"),
        ("lens", "radius", 2, "scatter"),
        ("motion", "length", 5, "gather"),
        ("motion", "length", 3, "scatter"),
        ("bilateral", "sigma_range", 0.3, "gather"),
        ("unsharp", "sigma", 2, "gather"),
    ],
)
def test_a_right_result_of_other_families_passes(
    family: str, driven: str, high: float, mode: str, engine: str, photo: Path
) -> None:
    report = filter_file(
        str(photo),
        str(photo.with_name("out.png")),
        FAMILIES[family],
        [Ramp(driven, high=high, level=Channel())],
        constants={"path": 1.0} if family == "motion" else {},
        engine=engine,
        mode=mode,
        verify=True,
        tile=16,
    )
    assert 0 < report.error_seen <= report.bound
    assert report.windows_seen == WINDOWS


@pytest.mark.parametrize("normalise", ["energy", "weights"])
@pytest.mark.parametrize("engine", ["direct", "unfold"])
def test_light_that_is_wrong_does_not_pass(engine: str, normalise: str, photo: Path, spoil) -> None:
    options = {"mode": "scatter", "normalise": normalise, "tolerance": 0.0, "sigma": 1}
    assert verify(photo, engine, **options).windows_seen == WINDOWS

    def dim(result):
        result = result * 1  # on a copy, all planes but the last, which may be the weights
        result[:3] *= 0.999
        return result

    spoil(engine, dim)
    with pytest.raises(VerificationFailed, match=f"engine {engine} is off by 0.00"):
        verify(photo, engine, **options)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_a_result_beyond_the_bound_does_not_pass(engine: str, photo: Path, spoil) -> None:
    assert SIDE < 16
    spoil(engine, lambda result: result + 3e-3)
    with pytest.raises(VerificationFailed, match=f"engine {engine} is off by 0.00.*, but states"):
        verify(photo, engine)
    assert not photo.with_name("out.png").exists()


def test_a_result_that_is_not_a_number_does_not_pass(photo: Path, spoil) -> None:
    spoil("direct", lambda result: result * np.float32("nan"))
    with pytest.raises(VerificationFailed):
        verify(photo, "direct")


def test_one_wrong_tile_of_many_is_seen_at_last(photo: Path, spoil) -> None:
    """Windows are drawn anew each time."""
    calls = []

    def change(result):
        calls.append(1)
        return result + 0.1 if len(calls) % 4 == 1 else result

    def passes() -> bool:
        try:
            return bool(verify(photo, "direct"))
        except VerificationFailed:
            return False

    spoil("direct", change)
    assert not all(passes() for _ in range(20))


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize(
    "values",
    [
        lambda rng: rng.random((20, 24)) * 1e4 - 5e3,
        lambda rng: rng.random((20, 24)) + 300,  # kelvin
        lambda rng: np.full((20, 24), 1e4),
        lambda rng: np.where(rng.random((20, 24)) < 0.02, np.nan, rng.random((20, 24))),
        lambda rng: np.where(rng.random((20, 24)) < 0.02, np.inf, rng.random((20, 24))),
        lambda rng: np.full((20, 24), np.nan),
    ],
    ids=["wide", "far_from_0", "flat", "nan", "inf", "only_nan"],
)
def test_any_float_image_passes(engine: str, values, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    Image.fromarray(values(rng).astype(np.float32)).save(tmp_path / "in.tif")
    Image.fromarray(rng.integers(0, 256, (20, 24), dtype=np.uint8)).save(tmp_path / "map.png")
    report = verify(tmp_path / "in.tif", engine, driven_by=str(tmp_path / "map.png"))
    assert report.error_seen <= report.bound
