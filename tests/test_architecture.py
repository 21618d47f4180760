"""The arrow of dependencies: downwards only, read from the imports themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "svfilter"
MODULES = sorted(PACKAGE.rglob("*.py"))

LEVELS = [
    {"cli"},
    {"pipeline", "bench", "looking"},
    {"desk"},
    {"page"},
    {"request"},
    {"maps"},
    {"verify"},
    {"defocus"},
    {"occlusion"},
    {"functional", "images"},
    {"work"},
    {"engines"},
    {"basis", "compiled"},
    {"borders", "field"},
    {"kernels"},
    {"devices", "budget"},
    {"errors", "tiles", "recompute", "relay"},
]
"""From the street down: a room imports from lower levels, or within itself."""
ONLY_CLI = {"click", "tqdm"}
LAZY = {"torch", "numpy", "numba", "llvmlite", "PIL", "scipy"}
"""Never imported when a module of these rooms is, since --help imports them:"""
LIGHT_ROOMS = {"cli", "looking", "maps", "engines", "kernels", "tiles", "errors", "devices"}
NO_NUMPY_YET = {
    *(
        "pipeline",
        "desk",
        "page",
        "request",
        "defocus",
        "occlusion",
        "images",
        "functional",
        "work",
        "field",
        "borders",
        "verify",
    ),
}
"""Neither when one of these is; but decoders and encoders are imported when they are needed."""


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.Module, *, at_run_time: bool = False) -> Iterator[str]:
    """Give the modules imported anywhere, or only those imported when the module is."""
    nodes = list(ast.walk(tree))
    if at_run_time:
        nodes = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def level(name: str) -> int:
    return next(i for i, rooms in enumerate(LEVELS) if name in rooms)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_dependencies_run_downwards(path: Path) -> None:
    here, tree = room(path), ast.parse(path.read_text())
    if here in ("__init__", "__main__"):
        return
    for name in imports(tree):
        top, *rest = name.split(".")
        if top in ONLY_CLI:
            assert here == "cli", f"{here} imports {top}"
        if top == "svfilter" and rest[0] not in ("__version__", here):
            assert level(here) < level(rest[0]), f"{here} imports {name}"
    if here in LIGHT_ROOMS:
        heavy = {name.split(".")[0] for name in imports(tree, at_run_time=True)} & LAZY
        assert not heavy, f"{here} imports {heavy} before it is used"
    if here in NO_NUMPY_YET and path.parent.name not in ("decoders", "encoders"):
        heavy = {name.split(".")[0] for name in imports(tree, at_run_time=True)} & {"numpy"}
        assert not heavy, f"{path.name} imports NumPy before it is used"


def test_every_room_has_its_level() -> None:
    rooms = {room(path) for path in MODULES} - {"__init__", "__main__"}
    assert rooms == set().union(*LEVELS)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300
