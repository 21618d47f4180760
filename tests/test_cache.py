"""Compiled code in the user's cache folder, and compiled for other processors."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

COMPILES = "svfilter: compiling `gaussian` for this processor, which takes some seconds\n"
BLUR = [sys.executable, "-m", "svfilter", "blur", "photo.png"]


def start(photo: Path, target: str, *words: str, **environment: str) -> subprocess.Popen[str]:
    """Start `svfilter blur` with another cache folder; only `gaussian` is compiled."""
    known = {
        k: v for k, v in os.environ.items() if k not in ("SVFILTER_CACHE_DIR", "XDG_CACHE_HOME")
    }
    return subprocess.Popen(
        [*BLUR, target, "--engine", "direct", "--sigma", "2", *words],
        cwd=photo.parent,
        env=known | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> str:
    """Wait for a process that must succeed, and give what it said on stderr."""
    written, said = process.communicate(timeout=120)
    assert (process.returncode, written) == (0, ""), said
    return said


@pytest.mark.skipif(sys.platform != "linux", reason="the cache folder has another name")
def test_code_is_compiled_once_and_kept(photo: Path, tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert end(start(photo, "first.png", **cache)) == COMPILES
    assert list((tmp_path / "cache" / "svfilter").rglob("*.o"))
    assert end(start(photo, "second.png", **cache)) == ""
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_two_processes_may_compile_at_once(photo: Path, tmp_path: Path) -> None:
    cache = {"SVFILTER_CACHE_DIR": str(tmp_path / "cache")}
    for process in [start(photo, f"{n}.png", "--quiet", **cache) for n in (1, 2)]:
        assert end(process) == ""
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()
    assert end(start(photo, "3.png", **cache)) == ""
    for code in (tmp_path / "cache").rglob("*.o"):
        code.write_bytes(b"")  # as a crash of the system may leave it
    end(start(photo, "4.png", **cache))
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "4.png").read_bytes()


def test_without_a_cache_folder_it_works_as_well(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("this is no folder")
    said = end(start(photo, "new.png", SVFILTER_CACHE_DIR=str(tmp_path / "file")))
    assert said.startswith("svfilter: compiling `gaussian` ")
    assert "will be compiled again next time" in said
    assert (tmp_path / "new.png").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no ulimit")
def test_a_full_disk_only_costs_the_cache(photo: Path, tmp_path: Path) -> None:
    full = ["bash", "-c", 'ulimit -f 16; exec "$@"', "-", *BLUR]
    ended = subprocess.run(
        [*full, "new.png", "--engine", "direct", "--sigma", "2"],
        cwd=tmp_path,
        env=os.environ | {"SVFILTER_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "new.png").exists()


FILTERS = """
import sys
import numpy as np
from svfilter import Gaussian, KernelField, filter_image
from svfilter.compiled.machine import HAS_FMA, LANES

assert (LANES, HAS_FMA) == (int(sys.argv[1]), sys.argv[2] == "True"), (LANES, HAS_FMA)
rng = np.random.default_rng(5)
image = rng.random((5, 23, 45), dtype=np.float32)
sigma = rng.random((23, 45), dtype=np.float32) * 4
sigma[:, :20] *= rng.random((23, 20)) < 0.3
field = KernelField(Gaussian(sigma=sigma))
truth = filter_image(image[:1].astype(np.float64), field, engine="reference")
for engine, tolerance, allowed in (("direct", 0, 1e-6), ("scale_space", 0.5 / 255, 0.5 / 255)):
    whole = filter_image(image, field, engine=engine, tolerance=tolerance, jobs=1)
    assert np.abs(whole[:1] - truth).max() <= allowed, engine
    again = filter_image(image[2:], field, engine=engine, tolerance=tolerance, jobs=2)
    np.testing.assert_array_equal(again, whole[2:])
    np.testing.assert_array_equal(whole[:, sigma == 0], image[:, sigma == 0])
"""

HASWELL = "+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+popcnt,+sse4.2,+cx16,+lzcnt,+movbe"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="this is no x86-64")
@pytest.mark.parametrize(
    ("name", "features", "lanes", "fma"), [("haswell", HASWELL, 8, True), ("generic", "", 4, False)]
)
def test_other_processors_compute_the_same(name: str, features: str, lanes: int, fma: bool) -> None:
    if lanes == 8 and sys.platform == "linux":
        flags = Path("/proc/cpuinfo").read_text()
        if not all(f" {flag} " in flags for flag in ("avx2", "fma", "bmi2")):
            pytest.skip("this processor is older than that")
    ended = subprocess.run(
        [sys.executable, "-c", FILTERS, str(lanes), str(fma)],
        env=os.environ | {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
