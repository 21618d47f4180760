"""Images read in windows: from names to decoders, and from decoders to planes."""

from __future__ import annotations

import io
import os
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from arrays import AnyOrder, ArrayDecoder, reader
from PIL import Image

from svfilter.errors import ImageReadError, InvalidArgument
from svfilter.images import opening, reading
from svfilter.images.reading import ImageReader, open_image
from svfilter.tiles import Window, plan

PIXELS = np.random.default_rng(5).integers(0, 256, (61, 17, 3), dtype=np.uint8)
PLANES = (PIXELS.transpose(2, 0, 1) / np.float32(255)).astype(np.float32)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 4 rows."""
    monkeypatch.setattr(reading, "_BLOCK", 4 * PIXELS.strides[0])


def part(window: Window) -> np.ndarray:
    return PLANES[:, window.rows, window.cols]


@pytest.mark.parametrize("rows", [1, 3, 4, 10, 61])
@pytest.mark.parametrize("margin", [0, 2, 30])
def test_windows_are_read_from_top_to_bottom_and_let_go(rows: int, margin: int) -> None:
    with reader(PIXELS) as image:
        for window in plan(61, 17, rows, 7):
            top = max(window.row_off - margin, 0)
            bottom = min(window.row_off + window.height + margin, 61)
            wide = Window(top, window.col_off, bottom - top, window.width)
            np.testing.assert_array_equal(image.read(wide), part(wide))
            np.testing.assert_array_equal(image.stored(wide), PIXELS[wide.rows, wide.cols])
            if window.col_off + window.width == 17:
                image.let_go(window.row_off + window.height - margin)
                held = sum(len(rows) for _, rows in image._blocks)
                assert held <= 2 * margin + rows + 8


def test_rows_that_were_let_go_are_not_given_again() -> None:
    with reader(PIXELS) as image:
        image.read(Window(40, 0, 5, 5))
        image.let_go(40)
        with pytest.raises(AssertionError, match="let go"):
            image.read(Window(3, 0, 2, 2))


def test_any_order_reads_far_windows_without_those_between() -> None:
    decoder = AnyOrder(PIXELS)
    with ImageReader("image", decoder, ExitStack()) as image:
        for window in (Window(0, 0, 3, 17), Window(55, 2, 6, 4), Window(2, 1, 4, 4)):
            np.testing.assert_array_equal(image.read(window), part(window))
        image.let_go(40)
        np.testing.assert_array_equal(image.read(Window(0, 0, 2, 2)), part(Window(0, 0, 2, 2)))


def test_no_more_is_decoded_ahead_than_asked_for() -> None:
    decoder = ArrayDecoder(PIXELS)
    with ImageReader("image", decoder, ExitStack()) as image:
        image.begin(ahead=8 * PIXELS.strides[0])
        image.read(Window(0, 0, 4, 17))
    assert decoder.asked[-1][1] <= 4 + 3 * 4


class Broken(ArrayDecoder):
    def rows(self, start: int, stop: int) -> np.ndarray:
        if start >= 20:
            raise self.error
        return super().rows(start, stop)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("bad block"), "image: is truncated or damaged: bad block"),
        (OSError(5, "Input/output error"), "image: is truncated or damaged: .*Input/output"),
        (ImageReadError("holds what cannot be"), "image: holds what cannot be"),
        (RecursionError("deep"), "image: is truncated or damaged: deep"),
    ],
)
def test_an_error_while_decoding_names_the_image_and_ends_the_thread(
    error: Exception, message: str
) -> None:
    decoder = Broken(PIXELS)
    decoder.error = error
    before = threading.active_count()
    with ImageReader("image", decoder, ExitStack()) as image:
        image.read(Window(0, 0, 9, 9))
        with pytest.raises(ImageReadError, match=message):
            image.read(Window(10, 0, 20, 9))
    assert threading.active_count() == before


def test_rows_of_a_wrong_shape_are_refused() -> None:
    decoder = ArrayDecoder(PIXELS)
    decoder.pixels = PIXELS[:, :5]
    with (
        ImageReader("image", decoder, ExitStack()) as image,
        pytest.raises(ImageReadError, match="rows of shape"),
    ):
        image.read(image.whole)


def save(path: Path, array: np.ndarray, **options: object) -> str:
    Image.fromarray(array).save(path, **options)
    return str(path)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("missing.png", None, "No such file"),
        ("x" * 300 + ".png", None, "cannot be read"),
        ("text.png", b"not a picture\n", "not an image"),
        ("empty.png", b"", "is empty"),
    ],
)
def test_bad_files_are_refused(name: str, data: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ImageReadError, match=message) as caught:
        open_image(str(path))
    assert str(path) in str(caught.value)


def test_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="folder"):
        open_image(str(tmp_path))


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = save(tmp_path / "picture.tif", PIXELS, format="PNG")
    with open_image(path) as image:
        assert image.storage.format == "png"
        np.testing.assert_array_equal(image.stored(image.whole), PIXELS)


def test_more_pixels_than_allowed_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "in.png", PIXELS)
    with pytest.raises(
        ImageReadError, match=r"17 x 61 pixels, more than 1000; .*--max-pixels 1037"
    ):
        open_image(path, max_pixels=1000)
    open_image(path, max_pixels=1037).close()


def test_what_looks_like_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat, rough = np.zeros((300, 300), np.uint8), PIXELS.repeat(9, axis=0)
    monkeypatch.setattr(opening, "SUSPECT_PIXELS", 1000)
    with pytest.raises(ImageReadError, match=r"decompression bomb; .*--max-pixels 90000"):
        open_image(save(tmp_path / "flat.png", flat))
    open_image(save(tmp_path / "flat.png", flat), max_pixels=90000).close()
    open_image(save(tmp_path / "rough.png", rough)).close()


def test_a_folder_that_looks_like_a_bomb_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its chunks are missing, and Zarr fills in what they would hold."""
    zarr = pytest.importorskip("zarr")
    path = str(tmp_path / "a")
    array = zarr.open_array(path, mode="w", shape=(900, 900), chunks=(30, 900), dtype="u1")
    monkeypatch.setattr(opening, "SUSPECT_PIXELS", 1000)
    with pytest.raises(ImageReadError, match=r"a: has 900 x 900 pixels.*decompression bomb"):
        open_image(path)
    array[...] = np.random.default_rng(1).integers(0, 256, (900, 900), np.uint8)
    open_image(path).close()


def test_what_must_be_decoded_whole_must_fit(tmp_path: Path) -> None:
    path = save(tmp_path / "in.webp", np.zeros((999, 999, 3), np.uint8))
    with pytest.raises(
        ImageReadError, match=r"as they are stored takes .* --memory; raise it by .*M"
    ):
        open_image(path, memory=2**20)
    open_image(path, memory=2**26).close()


@pytest.mark.parametrize("memory", [None, 3 * 2**20])
def test_turned_images_are_held_in_memory_or_on_disk(memory: int | None, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (1700, 900, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    with open_image(save(tmp_path / "in.png", pixels, exif=exif), memory=memory) as image:
        assert (image.height, image.width) == (900, 1700)
        np.testing.assert_array_equal(image.stored(image.whole), np.rot90(pixels, -1))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm", ".webp"])
def test_stdin_and_pipes_are_read(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / f"in{suffix}", PIXELS, **({"lossless": True} if "w" in suffix else {}))
    data, left = Path(path).read_bytes(), set(Path(reading.__file__).parent.iterdir())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Unseekable(data))))
    with open_image("-") as image:
        assert image.name == "stdin"
        np.testing.assert_array_equal(image.stored(image.whole), PIXELS)
    out, into = os.pipe()
    with os.fdopen(into, "wb") as file:
        file.write(data)
    with open_image(f"/dev/fd/{out}") as image:
        np.testing.assert_array_equal(image.stored(image.whole), PIXELS)
    os.close(out)
    assert left == set(Path(reading.__file__).parent.iterdir())


class Unseekable(io.RawIOBase):
    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        return self._data.readinto(buffer)


def test_copies_of_a_pipe_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BufferedReader(Unseekable(file.getvalue())))
    )
    with open_image("-") as image:
        image.read(image.whole)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BufferedReader(Unseekable(b"\x89PNG\r\n\x1a\nno")))
    )
    with pytest.raises(ImageReadError, match="stdin: "):
        open_image("-")
    assert not list(tmp_path.iterdir())


def test_closed_or_terminal_stdin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    for replacement in (None, terminal):
        monkeypatch.setattr(sys, "stdin", replacement)
        with pytest.raises(InvalidArgument, match="INPUT is -, but nothing is piped into stdin"):
            open_image("-")
