"""`svfilter bench`: a row for every engine, and no figure for a wrong result."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner, Result
from scipy.ndimage import gaussian_filter

from svfilter import bench
from svfilter.cli.bench import bench as command
from svfilter.engines import ENGINES
from svfilter.tiles import Window


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "QUICK_SIZE", (12, 20))
    monkeypatch.setattr(bench, "QUICK_LIMIT", 60.0)
    monkeypatch.setattr(bench, "SIGMAS", (1.0, 2.0))


def run() -> Result:
    return CliRunner().invoke(command, ["--quick", "--jobs", "1"], catch_exceptions=False)


def rows(result: Result) -> dict[str, list[str]]:
    lines = [line.split() for line in result.stdout.splitlines()]
    return {e: [" ".join(words) for words in lines if words[:1] == [e]] for e in ENGINES}


def test_every_engine_has_a_row_for_every_sigma() -> None:
    result = run()
    assert result.exit_code == 0
    assert "20 x 12, threads: 1" in result.stdout
    for engine, found in rows(result).items():
        assert [row.split()[1] for row in found] == ["1", "2"], engine
        for row in found:
            assert "RED" not in row


def test_a_wrong_result_is_red_and_has_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "blur", lambda image, sigma, **options: image + np.float32(0.01))
    result = run()
    assert result.exit_code == 1
    for engine, found in rows(result).items():
        assert len(found) == 2, engine
        for row in found:
            assert "RED: error" in row or "cannot run this" in row
    assert "RED: error" in rows(result)["reference"][0]


def test_what_is_too_slow_is_skipped_with_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "QUICK_LIMIT", 0.0)
    for found in rows(run()).values():
        for row in found:
            assert "skipped: too slow, about 0:" in row or "cannot run this" in row


def test_the_oracle_is_the_uniform_gaussian_of_scipy() -> None:
    image = bench.scene(23, 31)
    sigma = np.full((23, 31), 1.7, dtype=np.float32)
    ours = bench.oracle(image, sigma, Window(0, 0, 23, 31))
    each = [gaussian_filter(p.astype(float), float(sigma[0, 0]), mode="nearest") for p in image]
    np.testing.assert_allclose(ours, each, atol=1e-12)


def test_nan_is_red() -> None:
    image, sigma = bench.scene(9, 9), np.zeros((9, 9), dtype=np.float32)
    assert bench.check(image, sigma, image, 0.0) == 0
    with pytest.raises(bench.Red):
        bench.check(image, sigma, image * np.float32("nan"), 1.0)


@pytest.mark.parametrize("make", [bench.rough, bench.smooth])
def test_maps_lie_in_0_to_1(make) -> None:
    levels = make(130, 260)
    assert levels.shape == (130, 260)
    assert levels.dtype == np.float32
    assert 0 <= levels.min() < 0.1
    assert 0.9 < levels.max() <= 1
