"""The command line's contract: exit codes, messages, pipes, signals, and nothing half-written."""

from __future__ import annotations

import errno
import os
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tqdm
from click.testing import CliRunner
from PIL import Image

from svfilter import __version__, devices
from svfilter.cli import cli
from svfilter.engines import ENGINES
from svfilter.images.reading import open_image
from svfilter.tiles import BOUNDARIES

fcntl = pytest.importorskip("fcntl", reason="all this needs a POSIX system")
termios = pytest.importorskip("termios")

PROGRAM = [sys.executable, "-m", "svfilter"]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder with every kind of file that the tests name."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(20)
    shapes = {"photo.png": (23, 31, 3), "alpha.png": (23, 31, 4), "depth.png": (10, 20)}
    for name, shape in (shapes | {"dot.png": (1, 1), "photo.jpg": (230, 310, 3)}).items():
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
    levels = rng.random((3, 5), dtype=np.float32)
    hole = np.where(levels > 0.5, levels, np.float32("nan"))
    for name, values in {"float": levels, "wild": 3 * levels - 1, "nan": hole}.items():
        Image.fromarray(values).save(folder / f"{name}.tif")
    for suffix in ("png", "jpg"):
        whole = (folder / f"photo.{suffix}").read_bytes()
        (folder / f"cut.{suffix}").write_bytes(whole[: len(whole) // 2])
    bomb = bytearray((folder / "dot.png").read_bytes())
    bomb[16:24] = struct.pack(">2I", 100_000, 100_000)  # width and height
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    (folder / "bomb.png").write_bytes(bomb)
    (folder / "text.png").write_text("this is no image\n" * 9)
    for old in ("old", "old.png", "old.jpg", "old.tif", "old.xyz"):
        (folder / old).write_bytes(b"what was there before")
    (folder / "folder").mkdir()
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "link.png").symlink_to("photo.png")
    return folder


@pytest.fixture(autouse=True)
def desk(images, tmp_path, monkeypatch):
    """Work in a copy of the images; what svfilter does with SIGTERM ends with the test."""
    shutil.copytree(images, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def large(rng):
    """Put an image on the desk that, as a PNG, is larger than a pipe's buffer."""
    Image.fromarray(rng.integers(0, 256, (600, 600), dtype=np.uint8)).save("large.png")


@contextmanager
def nothing_changes():
    """Compare every file on the desk before and after: no new one, no temporary one."""

    def contents():
        return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}

    before = contents()
    yield
    assert contents() == before


def run(command, **options):
    """Run a command in this process; an error that svfilter does not report fails the test."""
    words = shlex.split(command) if isinstance(command, str) else command
    return CliRunner().invoke(cli, words, catch_exceptions=False, **options)


def shell(script):
    """Run a script in which PROGRAM is svfilter, and give its exit code, stdout and stderr."""
    script = script.replace("PROGRAM", shlex.join(PROGRAM))
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60}
    ended = subprocess.run(["sh", "-c", script], check=False, **options)
    return ended.returncode, ended.stdout, ended.stderr.decode()


def assert_refused(result, code, *words):
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr


NO_CUDA = devices.why_not("cuda")
# OUT is an output that does not exist, and then one that does.
REFUSED = {
    "blur missing.png OUT.png": (1, "missing.png"),
    "blur photo.png OUT.png --sigma-map missing.png": (1, "missing.png"),
    "blur NAME_TOO_LONG.png OUT.png": (1, "xxx.png"),
    "blur loop.png OUT.png": (1, "loop.png"),
    "blur '' OUT.png": (2, "INPUT"),
    "blur photo.png ''": (2, "OUTPUT"),
    "blur folder OUT.png": (1, "folder"),
    "blur text.png OUT.png": (1, "text.png"),
    "blur cut.png OUT.png": (1, "cut.png", "truncated"),
    "blur cut.jpg OUT.png": (1, "cut.jpg", "truncated"),
    "blur - OUT.png": (1, "stdin", "empty"),
    "blur bomb.png OUT.png": (1, "bomb.png", "100000 x 100000", "--max-pixels 10000000000"),
    "blur photo.png OUT.png --max-pixels 10": (1, "photo.png", "31 x 23", "--max-pixels 713"),
    "blur photo.png OUT.png --page 2": (2, "photo.png", "--page must be 1 to 1, but is 2"),
    "blur photo.png OUT.png --page 0": (2, "--page", "x>=1"),
    "blur photo.png OUT.png --bit-depth 12": (2, "--bit-depth", "12"),
    "blur photo.png OUT.png --compression lzw": (2, "--compression of png", "lzw"),
    "blur photo.png OUT.png --nan drop": (2, "--nan", "drop"),
    "blur float.tif OUT.png": (2, "png cannot hold 32-bit float grey", "--bit-depth 8 or 16"),
    "blur nan.tif OUT.png --bit-depth 8": (2, "OUT.png", "NaN", "--nan fill"),
    "blur photo.png OUT.zarr --format zarr --linear --page 7": (2, "--page"),
    "blur photo.png folder": (2, "folder"),
    "blur photo.png OUT.xyz": (2, "OUT.xyz", ".png", "--format"),
    "blur photo.png OUT": (2, "suffix", "--format"),
    "blur photo.png nowhere/OUT.png": (1, "nowhere"),
    "blur photo.png photo.jpg/OUT.png": (1, "photo.jpg"),
    "blur photo.png NAME_TOO_LONG.png": (1, "xxx.png"),
    "blur photo.png /dev/full --format png": (1, "/dev/full"),
    "blur photo.png photo.png": (2, "OUTPUT photo.png", "input"),
    "blur photo.png ./folder/../photo.png": (2, "OUTPUT", "input"),
    "blur photo.png link.png": (2, "OUTPUT link.png", "input"),
    "blur photo.png depth.png --sigma-map depth.png": (2, "OUTPUT depth.png", "input"),
    "blur photo.png": (2, "OUTPUT"),
    "blur": (2, "INPUT"),
    "blur --sigma-map photo.png OUT.png": (2, "--sigma-map took 'photo.png'", "--sigma-map="),
    "blur photo.png --sigma-map OUT.png": (2, "OUTPUT", "--sigma-map took 'OUT.png'"),
    "blur --sigma-map - -": (2, "--sigma-map took '-'"),
    "blur - OUT.png --sigma-map -": (2, "stdin", "INPUT", "map"),
    "blur photo.png OUT.png --invert": (2, "--invert needs --sigma-map"),
    "blur photo.png OUT.png --map-gamma 2": (2, "--map-gamma needs --sigma-map"),
    "blur photo.png OUT.png --per-channel": (2, "--per-channel needs --sigma-map"),
    "blur photo.png OUT.png --sigma-min 0": (2, "--sigma-min needs --sigma-map"),
    "blur photo.png OUT.png --sigma-map depth.png --per-channel": (2, "--per-channel"),
    "blur photo.png OUT.png --sigma 2 --sigma-min 3 --sigma-map": (2, "--sigma-min 3"),
    "blur float.tif OUT.tif --sigma-map wild.tif": (2, "wild.tif", "0 to 1"),
    "blur float.tif OUT.tif --sigma-map nan.tif": (2, "nan.tif", "finite", "row 0, column 0"),
    "blur wild.tif OUT.tif --sigma-map": (2, "wild.tif", "0 to 1"),
    "blur alpha.png OUT.jpg": (2, "OUT.jpg", "alpha", "png"),
    "blur photo.png OUT.png --quality 80": (2, "--quality", "OUT.png"),
    "blur photo.png OUT.jpg --quality 101": (2, "--quality", "101"),
    "blur photo.png OUT.png --memory 12X": (2, "--memory", "12X", "512M"),
    "blur photo.png OUT.png --memory 1K": (1, "photo.png", "--memory", "raise it by"),
    "blur photo.png OUT.png --jobs 0": (2, "--jobs", "0"),
    **{
        f"blur photo.png OUT.png --tolerance {value}": (2, "--tolerance", value)
        for value in ("nan", "2", "-1", "inf", "half")
    },
    "blur photo.png OUT.png --exact --tolerance 0.01": (2, "--exact", "--tolerance"),
    "blur photo.png OUT.png --exact --tolerance 0": (2, "--exact", "--tolerance"),
    "blur photo.png OUT.png --exact --engine scale_space": (2, "scale_space", "tolerance is 0"),
    "blur photo.png OUT.png --sigma 65 --engine scale_space": (2, "scale_space", "only to 64"),
    "blur photo.png OUT.png --truncate 3 --engine scale_space": (2, "scale_space", "truncate 4"),
    "blur photo.png OUT.png --quiet --verbose": (2, "--quiet", "--verbose"),
    "blur photo.png OUT.png --device toaster": (2, "device", "toaster"),
    "blur photo.png OUT.png --boundary wall": (2, "--boundary", "wall"),
    "blur photo.png OUT.png --nonsense": (2, "--nonsense"),
    **{
        f"blur photo.png OUT.png {name} {value} --sigma-map": (2, f"'{name}'")
        for name in ("--sigma", "--sigma-min", "--truncate", "--map-gamma")
        for value in ("-1", "nan", "inf", "1e9", "many")
    },
    **({"blur photo.png OUT.png --device cuda": (2, "cuda", NO_CUDA)} if NO_CUDA else {}),
}


@pytest.mark.parametrize("command", REFUSED)
@pytest.mark.parametrize("out", ["new", "old"])
def test_failure_is_reported_and_changes_nothing(command, out):
    code, *words = REFUSED[command]
    command = command.replace("OUT", out).replace("NAME_TOO_LONG", 300 * "x")
    with nothing_changes():
        assert_refused(run(command), code, *(w.replace("OUT.", f"{out}.") for w in words))


@contextmanager
def without_privileges():
    """Be nobody for a while if this is root, whom no file's mode stops."""
    root = os.geteuid() == 0
    if root:
        os.setresuid(65534, 65534, 0)  # the real user, too: os.access asks for that one
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)


@pytest.mark.parametrize(
    ("mode", "locked", "command"),
    [
        (0o555, "folder", "blur photo.png folder/new.png"),
        (0o555, "folder", "blur photo.png folder/old.png"),
        (0o000, "folder", "blur photo.png folder/new.png"),
        (0o000, "folder", "blur folder/photo.png new.png"),
        (0o000, "alpha.png", "blur alpha.png new.png"),
    ],
)
def test_missing_permission_is_reported(images, monkeypatch, mode, locked, command):
    # What is imported late is imported now: nobody may not be able to. Nor can nobody enter
    # pytest's own temporary folders.
    assert run("blur photo.png warm.png --sigma 1").exit_code == 0
    with tempfile.TemporaryDirectory() as name, monkeypatch.context() as patch:
        patch.chdir(name)
        for folder in (".", "folder"):
            shutil.copytree(images, folder, symlinks=True, dirs_exist_ok=True)
        Path(name).chmod(0o755)
        with nothing_changes():
            Path(locked).chmod(mode)
            with without_privileges():
                result = run(command)
            Path(locked).chmod(0o755)
        assert_refused(result, 1, locked)


@pytest.mark.usefixtures("large")
def test_full_disk_leaves_the_old_output():
    with nothing_changes():
        code, _, words = shell("ulimit -f 100; PROGRAM blur large.png old.png --sigma 0")
    assert (code, words) == (1, "svfilter: error: old.png: cannot be written: File too large\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", ["blur photo.png -", "--version"])
def test_full_stdout_is_reported(command):
    code, _, words = shell(f"PYTHONUNBUFFERED= PROGRAM {command} > /dev/full")
    assert code == 1
    assert re.fullmatch("svfilter: error: .*No space left on device\n", words)


@pytest.mark.parametrize("out", ["new.png", "old.png"])
@pytest.mark.parametrize(
    ("failure", "code", "word"),
    [(OSError(errno.EIO, "broken disk"), 1, "broken disk"), (KeyboardInterrupt(), 130, "nothing")],
)
def test_failure_while_writing_leaves_no_temporary_file(monkeypatch, out, failure, code, word):
    def fail(file):
        assert list(Path().glob(".svfilter-*.tmp"))
        raise failure

    monkeypatch.setattr("os.fsync", fail)
    with nothing_changes():
        assert_refused(run(f"blur photo.png {out}"), code, word)


@pytest.fixture
def long_work(large):
    """Start a process that takes a minute, if a test lets it."""
    # A shell that has started pytest in the background lets its children ignore SIGINT.
    code = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "runpy.run_module('svfilter', run_name='__main__', alter_sys=True)"
    options = "blur large.png old.png --engine unfold --sigma 20 --tile 8 --sigma-map depth.png"
    command, started = [sys.executable, "-c", code, *options.split()], []

    def start(stderr):
        started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr))
        return started[0]

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_work_and_leaves_the_old_output(long_work, number):
    with nothing_changes():
        process = long_work(subprocess.PIPE)
        assert b"resized" in process.stderr.readline()  # the work begins
        time.sleep(0.5)
        process.send_signal(number)
        words = process.communicate(timeout=60)[1].decode()
    assert words.strip() == "svfilter: interrupted; nothing was written"
    # Interrupted within an import, Python ends itself by SIGINT: 130, too, to a shell.
    assert process.returncode in (130, -signal.SIGINT)


def test_progress_bar_shows_on_a_terminal(long_work):
    terminal, program_end = pytest.importorskip("pty").openpty()
    size = struct.pack("4H", 24, 80, 0, 0)  # a new one has no columns, and no bar fits
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
    shown = b""
    try:
        long_work(program_end)
        while b"%|" not in shown and select.select([terminal], [], [], 30)[0]:
            shown += os.read(terminal, 1000)
    finally:
        os.close(program_end)
        os.close(terminal)
    assert b"large.png" in shown
    assert b"px/s" in shown


def test_progress_bar_hides_where_there_is_no_terminal(monkeypatch):
    bar = tqdm.tqdm
    monkeypatch.setattr("tqdm.tqdm", lambda **options: bar(**(options | {"delay": 0})))
    assert run("blur photo.png new.png --tile 8").output == ""


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_pipe_carries_the_image_and_nothing_else(unbuffered):
    script = f"cat large.png | PYTHONUNBUFFERED={unbuffered} PROGRAM blur - - --sigma 0 --verbose"
    code, written, words = shell(script)
    assert (code, "engine" in words) == (0, True), words
    assert run("blur large.png new.png --sigma 0").exit_code == 0
    assert written == Path("new.png").read_bytes()


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    ("unbuffered", "name", "reader", "taken"),
    [
        ("", "large.png", "head -c 4", b"\x89PNG"),
        ("1", "large.png", "head -c 4", b"\x89PNG"),
        ("", "photo.png", "true", b""),  # small enough to wait in a buffer
    ],
)
def test_reader_that_leaves_ends_the_work_silently(unbuffered, name, reader, taken):
    work = f"PYTHONUNBUFFERED={unbuffered} PROGRAM blur {name} - --sigma 0"
    script = f"{{ {work}; echo $? >&2; }} | {reader}"
    assert shell(script) == (0, taken, "1\n")


def test_two_processes_share_a_pipe():
    script = "PROGRAM blur photo.png - --sigma 1 | PROGRAM blur - out.webp --sigma-map"
    assert shell(script) == (0, b"", "")
    with Image.open("out.webp") as image:
        assert (image.format, image.size) == ("WEBP", (31, 23))


@pytest.mark.parametrize(
    ("command", "codes", "word"),
    [
        ("blur - new.png <&-", (1, 2), "stdin"),
        ("blur photo.png - >&-", (1, 2), "stdout"),
        ("blur photo.png new.png <&- >&-", (0,), ""),
        ("blur photo.png new.png 2>&-", (0,), ""),
    ],
)
def test_closed_standard_stream_matters_only_where_used(command, codes, word):
    code, _, words = shell(f"PROGRAM {command}")
    assert (code in codes, "Traceback" in words, word in words) == (True, False, True), words
    assert Path("new.png").exists() == (code == 0)


@pytest.mark.parametrize("quiet", [False, True])
def test_map_of_another_size_is_warned_of(quiet):
    result = run(["blur", "photo.png", "new.png", "--sigma-map=depth.png", *["--quiet"] * quiet])
    warning = "" if quiet else "svfilter: warning: depth.png: .* 20 x 10 .* 31 x 23.*\n"
    assert (result.exit_code, result.stdout) == (0, "")
    assert re.fullmatch(warning, result.stderr)


@pytest.mark.parametrize(
    "words",
    [
        "photo.png out.png --bit-depth 16 --dither --compression 9",
        "photo.png out.tif --bit-depth 32f --compression zstd --linear",
        "photo.jpg out.jpg --quality 30 --strip --page 1",
        "nan.tif out.tif --nan fill",
        "nan.tif out.png --nan fill --bit-depth 8",
        "float.tif out.exr --bit-depth 32f --compression zip",
        "alpha.png out.avif --sigma-map",
    ],
)
def test_how_a_result_is_stored_can_be_chosen(words):
    result = run(f"blur --sigma 2 {words}")
    assert (result.exit_code, result.output) == (0, "")
    source, target = words.split()[:2]
    with open_image(source) as before, open_image(target) as after:
        assert (before.height, before.width) == (after.height, after.width)
        if "--bit-depth" in words:
            bits = {"8": "u1", "16": "u2", "32f": "f4"}[words.split("--bit-depth ")[1].split()[0]]
            assert after.layout.dtype == bits
        if "--nan fill" in words:
            assert np.isfinite(after.read(after.whole)).all()


def test_verbose_says_how_it_was_computed():
    words = run("blur photo.png new.png --engine unfold --device cpu --tile 16 -v").stderr
    assert "engine unfold on cpu" in words
    assert "windows of 16 x 16 px" in words


def test_single_pixel_keeps_its_value():
    assert run("blur dot.png new.png --sigma 9 --sigma-map").output == ""
    assert np.array_equal(Image.open("new.png"), Image.open("dot.png"))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_image_smaller_than_the_radius_is_filtered(boundary):
    assert run(f"blur float.tif new.tif --sigma 9 --boundary {boundary}").output == ""
    result, given = np.asarray(Image.open("new.tif")), np.asarray(Image.open("float.tif"))
    assert result.shape == given.shape
    low = 0 if boundary == "constant" else given.min()
    assert low < result.min() <= result.max() < given.max()  # never so for NaN


@pytest.mark.parametrize("name", ["-dash.png", "two  words.png", "smörgås-🌈.png", "\udcff.png"])
def test_unusual_name_is_a_name(name):
    assert run(["blur", "--sigma=1", "--", "photo.png", name]).output == ""
    assert run(["blur", "--sigma=0", "--", name, "again.png"]).output == ""
    assert Path("again.png").read_bytes() == Path(name).read_bytes()


@pytest.mark.parametrize("command", ["--help", "-h", "blur --help", "info --help"])
def test_help_imports_nothing_heavy(command):
    code, written, words = shell(f"PYTHONPROFILEIMPORTTIME=1 PROGRAM {command}")
    imported = {line.rpartition("|")[2].strip() for line in words.splitlines()}
    assert (code, b"Usage" in written, "click" in imported) == (0, True, True)
    assert not imported & {"torch", "numpy", "PIL", "numba", "scipy", "tqdm"}


def test_version_is_told():
    assert run("--version").output == f"svfilter, version {__version__}\n"


def test_info_lists_engines_and_devices_with_reasons():
    result = run("info")
    assert (result.exit_code, result.stderr) == (0, "")
    for name, engine in ENGINES.items():
        assert re.search(f"^  {name} .*{re.escape(engine.error)}", result.stdout, re.M)
    for device in devices.DEVICES:
        told = re.findall(f"^ +{device} +(.*)", result.stdout, re.M)
        here = devices.why_not(device) is None
        assert len(told) == 1 + here * len(ENGINES)
        assert all(re.fullmatch("available|not available: .+", words) for words in told)
        assert (told[0] == "available") == here


def test_completion_script_is_printed():
    result = run("", prog_name="svfilter", env={"_SVFILTER_COMPLETE": "bash_source"})
    assert (result.exit_code, "complete -o nosort -F" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("svfilter bl", "plain,blur"),
        ("svfilter blur --boun", "plain,--boundary"),
        ("svfilter blur --engine unf", "plain,unfold"),
        ("svfilter blur pho", "file,pho"),
        ("svfilter blur photo.png --sigma-map=de", "file,de"),
    ],
)
def test_completion_is_offered(words, offered):
    environment = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    environment["_SVFILTER_COMPLETE"] = "bash_complete"
    assert run("", prog_name="svfilter", env=environment).stdout.split() == [offered]
