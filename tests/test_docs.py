"""What the documents say is what the program does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import SAMPLES
from PIL import Image

from svfilter import __version__
from svfilter.cli import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def examples() -> list[str]:
    """Give the commands in the shell blocks that follow <!-- examples --> in the README."""
    blocks = re.findall(r"<!-- examples -->\n```sh\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def shell(command: str, folder: Path) -> None:
    """Run a command of the README in a folder with the sample images."""
    if not (folder / "sample_images").exists():
        shutil.copytree(SAMPLES, folder / "sample_images")
        (folder / "docs").mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = "svfilter: the map of" if "--show-map" in command else ""
    assert all(said and line.startswith(said) for line in done.stderr.splitlines())


def test_every_command_has_an_example() -> None:
    for name in cli.commands.keys() - {"bench"}:
        assert any(f"svfilter {name}" in command for command in examples())


@pytest.mark.parametrize("command", examples())
def test_example_runs(command: str, tmp_path: Path) -> None:
    shell(command, tmp_path)
    outputs = list(tmp_path.glob("out.*"))
    assert len(outputs) == ("out." in command)
    if re.search(r"svfilter (show|compare)|--show-map", command):
        return  # what explains has a size and colours of its own
    for output in outputs:
        source = re.search(r"sample_images/\w+\.\w+", command)
        assert source
        with Image.open(output) as after, Image.open(tmp_path / source.group()) as before:
            assert after.size == before.size
            assert (np.asarray(after) != np.asarray(before)).any()


def test_the_picture_shown_is_what_its_command_makes(tmp_path: Path) -> None:
    (command,) = re.findall(r"^svfilter blur .* docs/.*$", README, re.MULTILINE)
    shell(command, tmp_path)
    (made,) = (tmp_path / "docs").iterdir()
    assert f"docs/{made.name})" in README
    shown = np.asarray(Image.open(ROOT / "docs" / made.name)).astype(int)
    difference = np.abs(np.asarray(Image.open(made)).astype(int) - shown)
    assert difference.max() <= 3  # another libjpeg may round otherwise


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_python_example_runs(code: str) -> None:
    first = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    imports = "\n".join(line for line in first.splitlines() if "import" in line)
    exec(f"{imports}\n{code}", {})


def test_tables_are_those_of_the_code() -> None:
    check = [sys.executable, str(ROOT / "tools" / "readme.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["README.md", "DESIGN.md", "CHANGELOG.md"])
def test_links_and_paths_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    paths = re.findall(r"`(?:python )?((?:benchmarks|tools|tests)/[\w.]+)`", text)
    for path in links + paths:
        assert (ROOT / path).exists(), f"{name} names {path}"


def test_changelog_knows_this_version() -> None:
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_scene_is_what_its_script_makes(tmp_path: Path) -> None:
    script = SAMPLES / "make_scene.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, capture_output=True)
    for name in ("scene.png", "scene_depth.png", "scene_mattes.png"):
        with Image.open(tmp_path / name) as made, Image.open(SAMPLES / name) as kept:
            assert (made.mode, made.size) == (kept.mode, kept.size)
            same = np.asarray(made) == np.asarray(kept)
            assert same.mean() > 0.999  # sin, exp and pow may differ in their last bit
