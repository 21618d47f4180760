"""From file to file: the pixels are the oracle's, whatever the tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from arrays import reader
from cases import TIGHT, WAYS, Way
from conftest import SAMPLES
from PIL import Image

from svfilter import (
    Bilateral,
    Gaussian,
    KernelField,
    Lens,
    UnsharpMask,
    desk,
    devices,
    filter_image,
    pipeline,
)
from svfilter.engines import ENGINES
from svfilter.errors import EngineUnavailable, ImageReadError, InvalidArgument
from svfilter.images import reading
from svfilter.images.reading import ImageReader, open_image
from svfilter.images.storing import Output
from svfilter.maps import Channel, EachChannel, Maps, Ramp, Shaped, Shaping
from svfilter.pipeline import filter_file
from svfilter.tiles import plan

INTENSE = Ramp("sigma", high=5, level=Channel())
TIE = 255 * 1e-6
"""How near to a half a value may be, in steps of 8 bits, to be rounded either way."""


def run(source: Path, target: Path, sigma: Ramp = INTENSE, **options: object) -> np.ndarray:
    filter_file(str(source), str(target), Gaussian, [sigma], **options)
    return np.asarray(Image.open(target))


def oracle(planes: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Filter float64 planes [C, H, W] with the plain loops."""
    return filter_image(planes, KernelField(Gaussian(sigma=sigma)), engine="reference")


def luma(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., :3] @ np.array([0.2126, 0.7152, 0.0722]) / 255


def assert_rounded(got: np.ndarray, exact: np.ndarray, tie: float = TIE) -> None:
    """Check 8-bit values against exact ones in 0..1, [H, W, C]: equal unless at a tie."""
    steps = np.clip(exact, 0, 1) * 255
    near_tie = np.abs(steps % 1 - 0.5) <= tie
    wrong = (got != np.rint(steps)) & ~near_tie
    assert not wrong.any(), f"{wrong.sum()} pixels differ"
    assert near_tie.mean() < 0.01


def crop(name: str, folder: Path, box: tuple[int, int, int, int]) -> tuple[Path, np.ndarray]:
    image = Image.open(SAMPLES / name).crop(box)
    image.save(folder / "crop.png")
    return folder / "crop.png", np.asarray(image)


@pytest.mark.parametrize(
    ("name", "box"), [("coffee.png", (300, 200, 360, 240)), ("rocket.jpg", (310, 60, 350, 110))]
)
def test_8_bit_result_is_the_rounded_oracle(
    name: str, box: tuple[int, int, int, int], tmp_path: Path
) -> None:
    source, pixels = crop(name, tmp_path, box)
    exact = oracle(pixels.transpose(2, 0, 1) / 255, 5 * luma(pixels))
    assert_rounded(run(source, tmp_path / "out.png", tolerance=0), exact.transpose(1, 2, 0))


@pytest.mark.parametrize("sigma", [3, 12])
def test_the_default_tolerance_is_half_a_step(sigma: float, tmp_path: Path) -> None:
    source, pixels = crop("coffee.png", tmp_path, (300, 200, 360, 240))
    planes, sigmas = pixels.transpose(2, 0, 1) / 255, sigma * luma(pixels).astype(np.float32)
    exact = oracle(planes, sigmas).transpose(1, 2, 0)
    got = run(
        source, tmp_path / "out.png", Ramp("sigma", sigma, level=Channel()), engine="scale_space"
    )
    assert np.abs(got - np.rint(exact * 255)).max() <= 1
    asked = {"engine": "scale_space", "tolerance": 0.5 / 255}
    floats = filter_image(planes.astype("f4"), KernelField(Gaussian(sigma=sigmas)), **asked)
    assert np.abs(floats.transpose(1, 2, 0) - exact).max() <= 0.5 / 255


@pytest.mark.parametrize(("kind", "default"), [("grey", 0.5 / 255), ("grey_16_bit", 2.5e-4)])
def test_deeper_images_have_a_tighter_default(
    kind: str, default: float, tmp_path: Path, rng: np.random.Generator
) -> None:
    Image.fromarray(images(rng)[kind]).save(tmp_path / "in.png")
    files, spec = (str(tmp_path / "in.png"), str(tmp_path / "out.png")), [INTENSE]
    assert filter_file(*files, Gaussian, spec).bound <= default
    assert filter_file(*files, Gaussian, spec, tolerance=0).bound <= 1e-6
    if kind == "grey":
        report = filter_file(*files, Gaussian, spec, engine="scale_space")
        assert 1e-3 < report.bound <= default
        assert set(report.passed_over) == set(ENGINES) - {"scale_space"}


@pytest.mark.parametrize("per_channel", [False, True])
def test_the_default_tolerance_is_a_step_of_what_is_seen_through_alpha(
    per_channel: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Where little is left of alpha, an error of it must not become a colour."""
    pixels = rng.integers(0, 256, (40, 60, 4), dtype=np.uint8)
    pixels[..., 3] = np.where(np.arange(60) < 20, 255, 0)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    spec = Ramp("sigma", high=6, level=EachChannel() if per_channel else Channel())
    if per_channel:  # its colours are divided by an alpha of their own: only rounding is allowed
        with pytest.raises(EngineUnavailable, match="scale_space .* the tolerance is 0"):
            run(tmp_path / "in.png", tmp_path / "out.png", spec, engine="scale_space", tolerance=1)
    loose = {} if per_channel else {"engine": "scale_space"}
    exact, got = (
        run(tmp_path / "in.png", tmp_path / "out.png", spec, **options).astype(np.float64)
        for options in ({"engine": "unfold", "tolerance": 0}, loose)
    )
    assert np.abs(got[..., 3] - exact[..., 3]).max() <= 1
    seen = exact[..., 3:] / 255
    assert np.abs((got[..., :3] - exact[..., :3]) * seen).max() <= 2
    assert np.abs(got - exact)[exact[..., 3] >= 128].max() <= 3


def test_constants_reach_the_kernels(tmp_path: Path) -> None:
    source, pixels = crop("coffee.png", tmp_path, (300, 200, 330, 220))
    planes = pixels.transpose(2, 0, 1) / 255
    field = KernelField(Gaussian(sigma=np.full(pixels.shape[:2], 3.0), truncate=1.0))
    exact = filter_image(planes, field, engine="reference").transpose(1, 2, 0)
    constants = {"truncate": 1.0}
    got = run(source, tmp_path / "out.png", Ramp("sigma", high=3), constants=constants, tolerance=0)
    assert_rounded(got, exact)


def test_per_channel_result_is_the_rounded_oracle(tmp_path: Path) -> None:
    source, pixels = crop("chelsea.png", tmp_path, (200, 100, 240, 125))
    planes = pixels.transpose(2, 0, 1) / 255
    spec = Ramp("sigma", high=5, level=EachChannel())
    exact = oracle(planes, 5 * planes)
    got = run(source, tmp_path / "out.png", spec, tolerance=0)
    assert_rounded(got, exact.transpose(1, 2, 0))


@pytest.mark.parametrize("per_channel", [False, True])
def test_alpha_weights_the_colours(
    per_channel: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    pixels = rng.integers(0, 256, (20, 24, 4), dtype=np.uint8)
    pixels[:, :12, 3] = rng.choice([0, 1, 255], (20, 12))
    pixels[5:, :6, 3] = 0  # wide enough for pixels that see no alpha at all
    Image.fromarray(pixels).save(tmp_path / "in.png")
    spec = Ramp("sigma", high=2, level=EachChannel() if per_channel else Channel())
    got = run(tmp_path / "in.png", tmp_path / "out.png", spec, tolerance=0)

    planes = pixels.transpose(2, 0, 1) / 255
    shared = 2 * luma(pixels) * planes[3]
    expected = np.empty(planes.shape)
    expected[3] = oracle(planes[3:], shared)[0]
    for channel in range(3):
        own = 2 * planes[channel] * planes[3] if per_channel else shared
        cover = oracle(planes[3:], own)[0]
        weighted = oracle((planes[channel] * planes[3])[None], own)[0]
        seen = cover > 0
        expected[channel] = planes[channel]
        expected[channel][seen] = weighted[seen] / cover[seen]
    assert_rounded(got, expected.transpose(1, 2, 0), tie=10 * TIE)  # a quotient of two results


def images(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "grey": rng.integers(0, 256, (9, 11), dtype=np.uint8),
        "grey_alpha": rng.integers(0, 256, (9, 11, 2), dtype=np.uint8),
        "rgb": rng.integers(0, 256, (9, 11, 3), dtype=np.uint8),
        "rgba": rng.integers(0, 256, (9, 11, 4), dtype=np.uint8) * (rng.random((9, 11, 1)) < 0.7),
        "grey_16_bit": rng.integers(0, 65536, (9, 11), dtype=np.uint16),
        "float": (rng.random((9, 11)) * 1e4 - 5e3).astype(np.float32),
    }


@pytest.mark.parametrize("kind", images(np.random.default_rng(0)))
@pytest.mark.parametrize("engine", ENGINES)
def test_sigma_zero_gives_the_same_pixels(
    engine: str, kind: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    pixels = images(rng)[kind]
    suffix = ".tif" if kind == "float" else ".png"
    Image.fromarray(pixels).save(tmp_path / f"in{suffix}")
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    got = run(source, target, Ramp("sigma", high=0), engine=engine, tolerance=0.5 / 255)
    assert got.dtype == pixels.dtype
    np.testing.assert_array_equal(got, pixels)
    mask = np.zeros(pixels.shape[:2], np.uint8)  # the same where only some pixels are left
    mask[:, 6:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    spec = Ramp("sigma", high=2, level=Channel(str(tmp_path / "mask.png")))
    mixed = run(source, target, spec, engine=engine, tolerance=0.5 / 255)
    np.testing.assert_array_equal(mixed[:, :6], pixels[:, :6])
    assert (mixed[:, 6:] != pixels[:, 6:]).any()


def test_every_8_and_16_bit_value_survives_sigma_zero(tmp_path: Path) -> None:
    for pixels in (np.arange(256, dtype=np.uint8)[None], np.arange(65536, dtype=np.uint16)):
        square = pixels.reshape(len(pixels.ravel()) // 16, 16)
        Image.fromarray(square).save(tmp_path / "in.png")
        got = run(tmp_path / "in.png", tmp_path / "out.png", Ramp("sigma", high=0))
        np.testing.assert_array_equal(got, square)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("coffee.png", Ramp("sigma", high=4, level=Channel())),
        ("rocket.jpg", Ramp("sigma", high=3, level=Shaped(EachChannel(), Shaping(gamma=0.5)))),
        (
            "scene.png",
            Ramp("sigma", high=3, low=0.5, level=Channel(str(SAMPLES / "scene_depth.png"))),
        ),
    ],
)
@pytest.mark.parametrize("engine", ["direct", "scale_space", "unfold"])
def test_tiles_leave_no_trace_byte_for_byte(
    engine: str, name: str, spec: Ramp, tmp_path: Path
) -> None:
    if engine == "unfold" and name != "scene.png":
        pytest.skip("unfold takes its time")
    for tile, jobs, target in ((64, 3, "tiled.png"), (10**6, 1, "whole.png")):
        run(SAMPLES / name, tmp_path / target, spec, engine=engine, tile=tile, jobs=jobs)
    assert (tmp_path / "tiled.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


@pytest.mark.parametrize("boundary", ["replicate", "reflect", "circular", "constant"])
@pytest.mark.parametrize("tile", [1, 7])
@pytest.mark.parametrize(
    "way", [way for way in WAYS if way.engine != "lowrank" and way.tolerance != TIGHT], ids=str
)
def test_odd_tiles_leave_no_trace_at_any_boundary(
    way: Way, boundary: str, tile: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    pixels = (rng.random((12, 15)) * 0.999).astype(np.float32)
    Image.fromarray(pixels).save(tmp_path / "in.tif")
    spec = Ramp("sigma", high=6, level=Channel())  # kernels reach 24, beyond the image
    whole, tiled = (
        run(
            *(tmp_path / "in.tif", tmp_path / "out.tif", spec),
            **(way.options | {"tile": side, "boundary": boundary}),
        )
        for side in (99, tile)
    )
    np.testing.assert_array_equal(tiled, whole)
    field = KernelField(Gaussian(sigma=6.0 * pixels))
    exact = filter_image(pixels.astype(np.float64), field, boundary=boundary, engine="reference")
    np.testing.assert_allclose(whole, exact, rtol=0, atol=way.allowed(pixels, field))


def test_luma_does_not_depend_on_the_shape_of_a_window(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    pixels[::3] = (53, 117, 51)  # its luma rounds by the order in which it is summed
    image = reader(pixels)
    maps = Maps([INTENSE], image, open_image)
    whole = np.asarray(maps.read(image.whole)["sigma"])
    for side in (1, 3, 17):
        for window in plan(64, 64, side, side):
            part = whole[:, window.rows, window.cols]
            np.testing.assert_array_equal(maps.read(window)["sigma"], part)


def test_progress_ends_at_the_total_and_the_report_says_what_was_done(
    photo: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    report = filter_file(
        str(photo),
        str(tmp_path / "out.png"),
        Gaussian,
        [Ramp("sigma", high=2)],
        constants={"truncate": 3.0},
        engine="unfold",
        tile=16,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(16 * 31, 23 * 31), (23 * 31, 23 * 31)]
    assert (report.engine, report.window, report.reach) == ("unfold", (16, 16), 6)
    assert (report.bound, report.error_seen, report.windows_seen) == (1e-6, None, 0)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (Ramp("sigma", high=1), {"tolerance": -1}, "tolerance must lie in 0 to 1, but is -1"),
        (Ramp("sigma", high=-1), {}, "sigma must lie in 0 to 1000 px, but is -1"),
        (Ramp("sigma", high=1, low=float("nan"), level=Channel()), {}, "sigma must lie .* is nan"),
        (Ramp("sigma", high=1), {"boundary": "edge"}, "boundary must be one of"),
        (Ramp("sigma", high=1), {"page": 1}, "photo.png: --page must be 1 to 1, but is 2"),
        (
            Ramp("sigma", high=1),
            {"nan": "drop"},
            "--nan must be one of keep, ignore, fill, not drop",
        ),
        (
            Ramp("sigma", high=1, level=Channel("-")),
            {"source": "-"},
            "only one of INPUT, the maps and the guide can be -",
        ),
    ],
)
def test_bad_arguments_leave_nothing_behind(
    spec: Ramp, options: dict[str, object], message: str, photo: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.png"
    source = str(options.pop("source", photo))
    with pytest.raises(InvalidArgument, match=message):
        filter_file(source, str(target), Gaussian, [spec], **options)
    assert not target.exists()


@pytest.fixture
def nothing_used_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let --memory be all for the image: this process already uses more than the tests allow."""
    monkeypatch.setattr(devices, "process_memory", lambda: 0)
    monkeypatch.setattr(pipeline, "RESERVE", 0)
    monkeypatch.setattr(desk, "RESERVE", 0)


@pytest.mark.usefixtures("nothing_used_yet")
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".ppm", ".npy"])
def test_memory_leaves_no_trace(suffix: str, tmp_path: Path) -> None:
    with Image.open(SAMPLES / "coffee.png") as photo:
        large = photo.resize((1800, 1300))
    source = tmp_path / f"in{suffix}"
    large.save(source) if suffix != ".npy" else np.save(source, np.asarray(large))
    results, windows = [], []
    for memory in (30 * 2**20, 38 * 2**20, 2**30):
        target = tmp_path / f"out{suffix}"
        report = filter_file(str(source), str(target), Gaussian, [INTENSE], memory=memory)
        results.append(target.read_bytes())
        windows.append(report.window)
    assert results[0] == results[1] == results[2]
    assert len(set(windows)) == 3


@pytest.mark.usefixtures("nothing_used_yet")
def test_too_little_memory_is_refused_with_what_is_needed(photo: Path, tmp_path: Path) -> None:
    files = str(photo), str(tmp_path / "out.png")
    with pytest.raises(ImageReadError, match=r"photo.png: to decode .* --memory; raise it by \dM"):
        filter_file(*files, Gaussian, [INTENSE], memory=2**16)
    with pytest.raises(InvalidArgument, match=r"--memory must be larger by \d+M .* reach \d+ pix"):
        filter_file(*files, Gaussian, [INTENSE], memory=2**23)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.parametrize("dtype", ["u2", "i2", "u4", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("channels", [1, 3, 4, 7])
def test_sigma_zero_is_the_identity_at_any_depth(
    dtype: str, channels: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    pixels = rng.standard_normal((40, 30, channels)) * 1e4
    if dtype[0] != "f":
        limits = np.iinfo(dtype)
        pixels = rng.integers(limits.min, limits.max, pixels.shape, endpoint=True)
    pixels = pixels.astype(dtype)
    mask = np.zeros((40, 30), np.uint8)
    mask[:, 20:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    source = tmp_path / "in.tif"
    planar = {"planarconfig": "contig"} if channels > 1 else {}
    tifffile.imwrite(
        source,
        pixels if channels > 1 else pixels[..., 0],
        photometric="minisblack",
        software=False,
        metadata=None,
        **planar,
    )
    for target in ("out.npy", "out.tif") if channels < 5 else ("out.tif",):
        spec = Ramp("sigma", high=3, level=Channel(str(tmp_path / "mask.png")))
        filter_file(str(source), str(tmp_path / target), Gaussian, [spec])
        with open_image(str(tmp_path / target)) as image:
            got = image.stored(image.whole)
        assert got.dtype == pixels.dtype
        np.testing.assert_array_equal(got[:, :20], pixels[:, :20])
        assert (got[:, 20:] != pixels[:, 20:]).any()


def test_linear_light_is_kept_where_sigma_is_0(tmp_path: Path) -> None:
    steps = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    tifffile.imwrite(tmp_path / "in.tif", steps)
    files = str(tmp_path / "in.tif"), str(tmp_path / "out.tif")
    filter_file(*files, Gaussian, [Ramp("sigma", high=0)], linear=True)
    np.testing.assert_array_equal(tifffile.imread(files[1]), steps)


def test_an_edge_in_linear_light_is_half_the_light_in_its_middle(tmp_path: Path) -> None:
    edge = np.zeros((33, 64), np.uint8)
    edge[:, 32:] = 255
    Image.fromarray(edge).save(tmp_path / "in.png")
    spec = Ramp("sigma", high=4)
    encoded, linear = (
        run(tmp_path / "in.png", tmp_path / "out.png", spec, linear=light, tolerance=0)[16].astype(
            int
        )
        for light in (False, True)
    )
    assert encoded[31] + encoded[32] == 255
    light = np.where(linear > 10, ((linear / 255 + 0.055) / 1.055) ** 2.4, linear / 255 / 12.92)
    np.testing.assert_allclose(light[31] + light[32], 1, atol=0.01)
    assert linear[31] > 176 > encoded[31]


@pytest.mark.parametrize("tile", [7, 10**6])
def test_pages_are_filtered_one_after_the_other(
    tile: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    pages = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((9, 11), (20, 5, 3))]
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for page in pages:
            file.write(page, photometric="rgb" if page.ndim == 3 else "minisblack", metadata=None)
    filter_file(
        str(tmp_path / "in.tif"), str(tmp_path / "out.tif"), Gaussian, [Ramp("sigma", 2)],
        tile=tile,
    )  # fmt: skip
    for number, page in enumerate(pages):
        alone = str(tmp_path / "alone.tif")
        filter_file(str(tmp_path / "in.tif"), alone, Gaussian, [Ramp("sigma", 2)], page=number)
        got = tifffile.imread(tmp_path / "out.tif", key=number)
        assert got.shape == page.shape
        np.testing.assert_array_equal(got, tifffile.imread(alone))
    with pytest.raises(
        InvalidArgument, match="in.tif: holds 2 pages, and png can hold one; .*--page"
    ):
        run(tmp_path / "in.tif", tmp_path / "out.png", Ramp("sigma", 2))


@pytest.mark.gpu
def test_the_gpu_gives_the_same_image_within_a_step(tmp_path: Path) -> None:
    on_cpu, on_gpu = (
        run(SAMPLES / "coffee.png", tmp_path / f"{d}.png", device=d).astype(int)
        for d in ("cpu", "cuda")
    )
    assert np.abs(on_cpu - on_gpu).max() <= 1
    assert (on_cpu != on_gpu).mean() < 1e-3


@pytest.mark.parametrize("boundary", ["replicate", "circular"])
def test_rows_are_held_no_longer_than_kernels_need_them(
    boundary: str, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, take = [], ImageReader._take

    def counted(image: ImageReader) -> None:
        take(image)
        held.append(sum(len(rows) for _, rows in image._blocks))

    monkeypatch.setattr(reading, "block_rows", lambda decoder: 1)
    monkeypatch.setattr(ImageReader, "_take", counted)
    Image.fromarray(rng.integers(0, 256, (300, 9), dtype=np.uint8)).save(tmp_path / "in.png")
    run(tmp_path / "in.png", tmp_path / "out.png", tile=16, boundary=boundary)
    reach = 4 * INTENSE.high
    assert len(held) >= 300 - reach
    assert max(held) <= 4 * 16 + 2 * reach + 8  # the cascade's reach is a little larger


def test_verification_is_given_the_rows_that_it_needs(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its windows lie where rows above were just let go."""
    monkeypatch.setattr(reading, "block_rows", lambda decoder: 1)
    monkeypatch.setattr("random.randrange", lambda size: min(64, size - 1))
    Image.fromarray(rng.integers(0, 256, (130, 20), dtype=np.uint8)).save(tmp_path / "in.png")
    files = str(tmp_path / "in.png"), str(tmp_path / "out.png")
    spec = [Ramp("sigma", high=8)]
    report = filter_file(*files, Gaussian, spec, engine="scale_space", verify=True, tile=16)
    assert report.windows_seen == 8


def test_sharpening_keeps_the_tolerance_for_what_it_amplifies(photo: Path, tmp_path: Path) -> None:
    made = []
    for tolerance in (None, 0.0):
        target = tmp_path / "sharp.npy"
        maps = [Ramp("sigma", high=2.0), Ramp("amount", high=4.0)]
        output = Output(bit_depth="32f")
        report = filter_file(
            str(photo), str(target), UnsharpMask, maps, tolerance=tolerance, output=output
        )
        assert report.bound is not None
        assert report.bound <= 0.5 / 255
        made.append(np.load(target))
    assert np.abs(made[0] - made[1]).max() <= 0.5 / 255


def test_sharpening_leaves_alpha_alone(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (12, 15, 4), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    maps = [Ramp("sigma", high=2.0), Ramp("amount", high=3.0)]
    filter_file(str(tmp_path / "in.png"), str(tmp_path / "out.png"), UnsharpMask, maps)
    made = np.asarray(Image.open(tmp_path / "out.png"))
    np.testing.assert_array_equal(made[..., 3], pixels[..., 3])
    assert (made[..., :3] != pixels[..., :3]).any()


def test_a_sharp_pixel_receives_scattered_light(tmp_path: Path) -> None:
    pixels = np.zeros((9, 12), np.float32)
    pixels[4, 5] = 1.0
    np.save(tmp_path / "in.npy", pixels)
    maps = [Ramp("radius", high=3.0, level=Channel())]  # all but one pixel are sharp
    filter_file(str(tmp_path / "in.npy"), str(tmp_path / "out.npy"), Lens, maps, mode="scatter")
    made = np.load(tmp_path / "out.npy").reshape(9, 12)
    assert made[4, 6] > 0
    np.testing.assert_allclose(made.sum(), 1, rtol=1e-5)


@pytest.mark.parametrize("command", ["scatter", "guide"])
def test_files_beside_the_image_are_read_where_the_opposite_side_is(
    command: str, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "block_rows", lambda decoder: 4)
    image, beside = (str(tmp_path / f"{name}.png") for name in ("image", "beside"))
    for name in (image, beside):
        Image.fromarray(rng.integers(0, 256, (60, 41, 3), dtype=np.uint8)).save(name)
    options = {"boundary": "circular", "tolerance": 0.0}
    drivers, family = [Ramp("sigma", high=2, level=Channel(beside))], Gaussian
    if command == "guide":
        drivers, family = [Ramp("sigma_space", high=2)], Bilateral
    options |= {"guide": beside} if command == "guide" else {"mode": "scatter"}
    whole, tiled = (str(tmp_path / f"{name}.npy") for name in ("whole", "tiled"))
    filter_file(image, whole, family, drivers, **options, output=Output(bit_depth="32f"))
    filter_file(image, tiled, family, drivers, **options, tile=9, output=Output(bit_depth="32f"))
    np.testing.assert_array_equal(np.load(tiled), np.load(whole))
