"""Tolerance, verification and threads on the command line; what is said of them; no torch."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from svfilter.cli import cli
from svfilter.engines import ENGINES


@pytest.fixture(autouse=True)
def desk(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with photo.png and, to be replaced, old.png."""
    monkeypatch.chdir(photo.parent)
    Path("old.png").write_bytes(b"what was there before")


def run(words: str) -> Result:
    return CliRunner().invoke(cli, words.split(), catch_exceptions=False)


def pixels(name: str) -> np.ndarray:
    return np.asarray(Image.open(name)).astype(int)


@pytest.mark.parametrize("engine", ["direct", "scale_space", "unfold"])
def test_verbose_says_what_was_done_and_why(engine: str) -> None:
    result = run(f"blur photo.png new.png --sigma 3 --engine {engine} -v --sigma-map")
    assert (result.exit_code, result.stdout) == (0, "")
    bound = {"scale_space": r"0\.0017"}.get(engine, "1e-06")
    assert re.search(
        f"^svfilter: engine {engine} on cpu, error at most {bound}", result.stderr, re.M
    )
    assert "kernels reach 12 px" in result.stderr
    for name in set(ENGINES) - {engine}:
        assert re.search(f"^svfilter: not {name}: .+", result.stderr, re.M)
    assert f"not {engine}:" not in result.stderr


@pytest.mark.parametrize("option", ["--exact", "--tolerance 0"])
def test_exact_is_as_good_as_unfold(option: str) -> None:
    result = run(f"blur photo.png new.png --sigma 4 {option} -v --sigma-map")
    assert result.exit_code == 0, result.stderr
    assert "error at most 1e-06" in result.stderr
    assert "not scale_space: " in result.stderr
    run("blur photo.png exact.png --sigma 4 --engine unfold --exact --sigma-map")
    assert np.abs(pixels("new.png") - pixels("exact.png")).max() <= 1


def test_the_tolerance_is_handed_on() -> None:
    errors = []
    for tolerance in ("0.5", "0.0019608", "0.00025"):
        words = f"blur photo.png new.png --sigma 4 --tolerance {tolerance} -v"
        told = run(words + " --engine scale_space")
        if told.exit_code == 0:
            found = re.search("error at most ([0-9.e-]+)", told.stderr)
            assert found
            errors.append(float(found.group(1)))
            assert errors[-1] <= float(tolerance)
        assert run(words).exit_code == 0
    assert errors


@pytest.mark.parametrize("engine", ["auto", "direct", "scale_space"])
def test_verify_says_the_error_seen(engine: str) -> None:
    result = run(f"blur photo.png new.png --sigma 4 --engine {engine} --verify")
    assert (result.exit_code, result.stdout) == (0, "")
    found = re.search(
        "^svfilter: verified: error at most (.+) in 8 windows; stated is (.+)$", result.stderr, re.M
    )
    assert found
    seen, stated = map(float, found.groups())
    assert 0 < seen <= stated <= 0.5 / 255
    assert run(f"blur photo.png new.png --engine {engine} --verify --quiet").output == ""


@pytest.mark.parametrize("engine", ["direct", "scale_space"])
@pytest.mark.parametrize("target", ["new.png", "old.png"])
def test_a_wrong_engine_is_found_out_and_nothing_written(
    engine: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(ENGINES[engine])
    honest = kind.run
    monkeypatch.setattr(kind, "run", lambda *args, **rest: 0.99 * honest(*args, **rest))
    before = {path: path.read_bytes() for path in Path().iterdir()}
    result = run(f"blur photo.png {target} --engine {engine} --sigma 4 --verify")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"engine {engine} is off by 0.0" in result.stderr
    assert {path: path.read_bytes() for path in Path().iterdir()} == before
    assert run(f"blur photo.png {target} --engine {engine} --sigma 4").exit_code == 0


@pytest.mark.parametrize("engine", ["direct", "scale_space"])
def test_jobs_and_tiles_leave_no_trace(engine: str) -> None:
    words = f"--sigma 6 --sigma-map=photo.png photo.png new.png --engine {engine} "
    files = set()
    for more in ("", "--jobs 1", "--jobs 3 --tile 7", "--tile 1", "--tile 64", "--memory 9G"):
        result = run(f"blur {words}{more}")
        assert (result.exit_code, result.output) == (0, "")
        files.add(Path("new.png").read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize("options", ["--exact", "--engine scale_space", ""])
def test_on_the_cpu_neither_torch_nor_numba_is_imported(options: str) -> None:
    words = f"blur photo.png new.png --sigma 4 --device cpu -v {options}"
    at_end = "import atexit, sys; atexit.register(lambda: print(*sys.modules))"
    program = f"{at_end}; from svfilter.__main__ import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, *words.split()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    imported = set(ended.stdout.split())
    assert {"svfilter.pipeline", "numpy", "llvmlite"} <= imported
    assert not {"torch", "numba"} & imported  # numba is not needed for what lies compiled
