"""Damaged files: none may crash, hang, hoard, or pass for whole. A long run is in fuzz/."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fuzz.cases import SCHEDULE, case
from fuzz.run import Result, fuzz, main
from fuzz.seeds import corpus

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's account of memory"
)
JOBS = min(2, os.cpu_count() or 1)


def told(result: Result) -> str:
    """Say what was found, so that each can be run again by its number."""
    return "\n".join(
        f"{one.kind}: {one.why} ({one.case.number}: {one.case})\n{one.detail}"
        for one in result.found.values()
    )


def test_damaged_files_of_every_format_are_refused_or_filtered() -> None:
    result = fuzz(run=1, numbers=range(300), jobs=JOBS)
    assert not result.found, told(result)
    assert result.counts.keys() >= {*SCHEDULE} - {"avif", "jxl", "zarr"}
    assert all(counts["refused"] for counts in result.counts.values())
    assert sum(counts["files"] for counts in result.counts.values()) == 300


@pytest.mark.parametrize("name", ["png", "jpeg", "tiff", "exr"])
def test_sound_files_are_filtered(name: str) -> None:
    result = fuzz((name,), run=1, numbers=range(-24, 0))
    assert not result.found, told(result)
    assert result.counts[name]["done"] > 20


FAULTS = {
    "raises": "exception", "hangs": "hang", "crashes": "crash", "makes_up": "made up",
    "hoards": "memory", "leaves": "left over", "half_writes": "left over",
    "keeps_threads": "thread", "keeps_files": "open file", "is_noisy": "noise",
    "warns": "stray warning", "mumbles": "message", "hides": "hidden",
}  # fmt: skip
DAMAGED = {"makes_up": range(40), "half_writes": range(10)}
"""Faults that a sound file does not show."""


def with_fault(fault: str) -> Result:
    limit = 0.5 if fault == "hangs" else 20.0
    numbers = DAMAGED.get(fault, range(-1, 0))
    return fuzz(("pam",), run=1, numbers=numbers, limit=limit, fault=fault)


@pytest.fixture(scope="module")
def faulty() -> dict[str, Result]:
    with ThreadPoolExecutor(JOBS) as pool:
        return dict(zip(FAULTS, pool.map(with_fault, FAULTS), strict=True))


@pytest.mark.parametrize(("fault", "kind"), FAULTS.items(), ids=FAULTS)
def test_a_fault_is_found(fault: str, kind: str, faulty: dict[str, Result]) -> None:
    found = faulty[fault].found.values()
    assert {one.kind for one in found} == {kind}, told(faulty[fault])


def test_a_case_is_the_same_in_every_run() -> None:
    one, other = (corpus(("png", "npy", "pam")) for _ in range(2))
    assert [case(one, 5, n) for n in range(50)] == [case(other, 5, n) for n in range(50)]


def test_the_program_tells_of_findings_and_keeps_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["--formats", "pam,pfm", "--count", "12", "--seed", "4", "--keep", str(tmp_path / "k")]
    assert main(asked) == 0
    assert "findings" in capsys.readouterr().out
    assert not (tmp_path / "k").exists()
    monkeypatch.setattr("fuzz.run.FAULT", "raises")
    assert main(asked) == 1
    assert "TypeError" in capsys.readouterr().out
    assert {path.suffix for path in (tmp_path / "k").iterdir()} >= {".txt"}
