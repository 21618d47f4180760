"""Levels hold the rows that they still need, no others, and say what that takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from arrays import reader

from svfilter.images import reading
from svfilter.images.reading import ImageReader, open_image
from svfilter.maps import (
    Channel,
    Driver,
    EachChannel,
    Focus,
    Maps,
    Percent,
    Ramp,
    Shaped,
    Shaping,
)
from svfilter.maps.levels import Level
from svfilter.maps.written import read_source
from svfilter.tiles import Window, plan

HEIGHT, WIDTH = 150, 23
SIZES = {"same": (HEIGHT, WIDTH), "taller": (400, 31), "lower": (40, 10)}
SMOOTH = Shaping(smooth=2.0)
REACH = 23
"""Rows to each side that the engine for it needs; its kernel reaches 8."""

pytestmark = pytest.mark.filterwarnings("ignore:.*resized")


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """Work beside maps of several sizes, of which every row is decoded by itself."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reading, "block_rows", lambda decoder: 1)
    for name, size in SIZES.items():
        tifffile.imwrite(f"{name}.tif", rng.random(size).astype(np.float32))


def expression(text: str) -> Level:
    return read_source(text, {name: Channel(f"{name}.tif") for name in SIZES})


LEVELS: dict[str, Callable[[], Level]] = {
    "own": Channel,
    "own edges": lambda: Channel(None, "edges"),
    "own smoothed": lambda: Shaped(Channel(), SMOOTH),
    "own edges smoothed": lambda: Shaped(Channel(None, "edges"), SMOOTH),
    "each smoothed": lambda: Shaped(EachChannel(), SMOOTH),
    "file": lambda: Channel("same.tif"),
    "file's edges": lambda: Channel("same.tif", "edges"),
    "file smoothed": lambda: Shaped(Channel("same.tif"), SMOOTH),
    "taller": lambda: Channel("taller.tif"),
    "lower": lambda: Channel("lower.tif"),
    "lower's edges": lambda: Channel("lower.tif", "edges"),
    "lower smoothed": lambda: Shaped(Channel("lower.tif"), SMOOTH),
    "taller nearest": lambda: Channel("taller.tif", fit="nearest"),
    "lower nearest": lambda: Channel("lower.tif", fit="nearest"),
    "expression": lambda: expression("clip(same*lower+r*x, 0, 1)"),
    "expression of edges": lambda: expression("min(1, edges+same)"),
    "expression smoothed": lambda: Shaped(expression("same*taller*edges"), SMOOTH),
    "stretched": lambda: Shaped(Channel("same.tif"), Shaping(smooth=2, stretch=(0.1, Percent(90)))),
}  # fmt: skip


def margin_of(name: str) -> int:
    """Give how far around a window a level of LEVELS reads."""
    far = REACH * ("smoothed" in name or name == "stretched")
    return far + ("edges" in name or name == "expression smoothed")


def driven(kind: str, level: Level) -> Driver:
    """Give one of the drivers that follow a level."""
    return Ramp("m", 1.0, 0.0, level) if kind == "ramp" else Focus("m", level, 0.5, 1.0, 9.0)


@pytest.mark.parametrize("kind", ["ramp", "focus"])
@pytest.mark.parametrize("name", LEVELS)
def test_rows_are_held_until_they_are_not_needed(
    name: str, kind: str, rng: np.random.Generator
) -> None:
    if kind == "focus" and "each" in name:
        pytest.skip("a depth is that of all channels")
    pixels = rng.random((HEIGHT, WIDTH, 3)).astype(np.float32)
    opened: list[ImageReader] = []

    def open_noted(source: str) -> ImageReader:
        opened.append(open_image(source))
        return opened[-1]

    driver = driven(kind, LEVELS[name]())
    with Maps([driver], reader(pixels), open_image) as maps:
        whole = maps.read(Window(0, 0, HEIGHT, WIDTH))["m"]
        assert maps.margin == margin_of(name)
    for rows in (1, 5, 70):
        opened.clear()
        image = reader(pixels)
        with Maps([driver], image, open_noted) as maps:
            for window in plan(HEIGHT, WIDTH, rows, WIDTH):
                got = maps.read(window)["m"]
                np.testing.assert_array_equal(got, whole[:, window.rows])
                bottom = window.rows.stop
                maps.let_go(bottom)
                image.let_go(bottom - maps.margin)
                for file in opened[-len(driver.sources) or len(opened) :]:
                    scale = file.height / HEIGHT
                    held = sum(len(block) for _, block in file._blocks)
                    # What a block of resized rows is made of is read with it.
                    resized = 0 if file.height == HEIGHT or "nearest" in name else 66
                    assert held <= scale * (2 * margin_of(name) + resized) + 4


def test_the_nearest_pixels_row_is_not_let_go_too_early() -> None:
    image = reader(np.zeros((HEIGHT, WIDTH), np.uint8))
    with Maps([Ramp("m", 1.0, 0.0, Channel("lower.tif", fit="nearest"))], image, open_image) as m:
        for row in range(HEIGHT):
            m.let_go(row)
            m.read(Window(row, 0, 1, WIDTH))


def test_what_is_held_is_counted() -> None:
    """For each row of the image: the files' own, and the rows that are resized."""
    image = reader(np.zeros((HEIGHT, WIDTH), np.uint8))

    def counted(*levels: Level) -> tuple[int, int]:
        drivers = [Ramp(f"m{i}", 1.0, 0.0, level) for i, level in enumerate(levels)]
        with Maps(drivers, image, open_image) as maps:
            return maps.row_bytes, maps.fixed_bytes

    plain, resized = Channel("same.tif"), Channel("lower.tif")
    file_row, file_fixed = 4 * WIDTH, counted(plain)[1]
    assert counted(plain)[0] == file_row
    assert counted(plain, plain) == counted(plain)  # one file is open once
    lower_row = -(-4 * 10 * 40 // HEIGHT)
    row, fixed = counted(resized)
    assert row == lower_row + 4 * WIDTH
    assert fixed >= 2 * 40 * (4 * 10 + 8 * 10)  # no more than twice the rows that there are
    assert counted(plain, resized) == (file_row + row, file_fixed + fixed)
    for level in (
        Shaped(resized, Shaping(gamma=2.0)),
        Channel("lower.tif", "edges"),
        expression("1-lower"),
    ):
        assert counted(level) == (row, fixed)
    both = counted(expression("lower*same"))
    assert both == (file_row + row, file_fixed + fixed)
    depth = Focus("m", resized, 0.5, 1.0, 9.0)
    with Maps([depth], image, open_image) as maps:
        assert (maps.row_bytes, maps.fixed_bytes) == (row, fixed)


def test_several_drivers_are_let_go_and_ended_together() -> None:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    np.save("flat.npy", np.full((HEIGHT, WIDTH), 0.25, np.float32))
    np.save("even.npy", np.full((HEIGHT, WIDTH), 0.5, np.float32))
    drivers: list[Driver] = [
        Ramp("a", 1.0, 0.0, Channel("same.tif")),
        Ramp("b", 1.0, 0.0, Shaped(Channel(None, "edges"), SMOOTH)),
        Focus("c", Channel("flat.npy"), 0.5, 1.0, 9.0),
        Ramp("d", 1.0, 0.0, Channel("even.npy")),
    ]
    opened: list[ImageReader] = []

    def open_noted(source: str) -> ImageReader:
        opened.append(open_image(source))
        return opened[-1]

    image = reader(pixels)
    with Maps(drivers, image, open_noted) as maps:
        assert maps.margin == REACH + 1
        for window in plan(HEIGHT, WIDTH, 10, WIDTH):
            maps.read(window)
            maps.let_go(window.rows.stop)
        assert not any(file._blocks for file in opened)
        with pytest.warns() as heard:
            maps.end()
    said = [str(warning.message) for warning in heard]
    assert said == [
        "image.png: the map is 0 at every pixel",
        "flat.npy: the map is 0.25 at every pixel",
        "even.npy: the map is 0.5 at every pixel",
    ]


def test_the_whole_map_is_smoothed_before_its_ends_are_found(rng: np.random.Generator) -> None:
    """And the image that is read for that is let go of, but for what smoothing needs."""
    pixels = rng.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    level = Shaped(Channel(), Shaping(smooth=2.0, stretch=(Percent(0), Percent(100)), gamma=3.0))
    again: list[ImageReader] = []
    held: list[int] = []

    class Noted(ImageReader):
        def read(self, window: Window) -> np.ndarray:
            held.append(sum(len(block) for _, block in self._blocks))
            return super().read(window)

        def stored(self, window: Window) -> np.ndarray:
            held.append(sum(len(block) for _, block in self._blocks))
            return super().stored(window)

    def open_again() -> ImageReader:
        plain = reader(pixels)
        again.append(Noted(plain.name, plain._decoder, plain._opened))
        return again[-1]

    with Maps([Ramp("m", 1.0, 0.0, level)], reader(pixels), open_image, open_again) as maps:
        got = maps.read(Window(0, 0, HEIGHT, WIDTH))["m"]
    assert (got.min(), got.max()) == (0, 1)
    assert len(again) == 1
    assert max(held) <= 64 + 2 * REACH < HEIGHT
