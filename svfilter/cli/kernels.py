"""`svfilter kernels`: what kernels there are, and what computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from svfilter.engines.base import Mode
    from svfilter.kernels.base import Family, Parameter

MADE_BY = {
    "bilateral": "smooth",
    "box": "blur --shape box",
    "elliptical": "blur --sigma-x",
    "gaussian": "blur",
    "lens": "lens",
    "moffat": "blur --shape moffat",
    "motion": "motion",
    "triangle": "blur --shape triangle",
    "unsharp": "sharpen",
}
"""The command that makes each family's kernels; the others are for Python alone."""
FORMS = {
    "basis": "[N, kh, kw] with --coefficients [N, H, W]",
    "codebook": "[kh, kw], numbers in a text, an image; or [N, kh, kw] with --index [H, W]",
    "dense": "[K, H, W], K the square of an odd number",
    "grid": "[gy, gx, kh, kw]",
}
"""How the kernels of `svfilter apply` lie in a file, by their family."""


@click.command()
def kernels() -> None:
    """List the kernels, their parameters and engines.

    Those that svfilter apply reads are described by what the file must hold.
    Engines are those of the CPU that can filter an image of 8 bits when one map drives the first
    parameter.
    """
    from svfilter.kernels import FAMILIES
    from svfilter.kernels.stored import STORED

    blocks = []
    for name, family in FAMILIES.items():
        rows = {"kernels": family.summary}
        rows |= {"command": f"svfilter {MADE_BY[name]}" if name in MADE_BY else "in Python only"}
        rows |= {p.name: described(p) for p in family.parameters().values()}
        blocks.append(_block(name, family, rows))
    for name, stored in STORED.items():
        rows = {"kernels": stored.summary, "command": "svfilter apply", "file": FORMS[name]}
        blocks.append(_block(name, stored, rows))
    click.echo("\n\n".join(blocks))


def _block(name: str, family: type[Family], rows: dict[str, str]) -> str:
    from svfilter.engines.base import MODES

    rows |= {mode: ", ".join(engines(family, mode)) or "not these kernels" for mode in MODES}
    width = 2 + max(map(len, rows))
    return "\n".join([name, *(f"  {k:<{width}}{v}" for k, v in rows.items())])


def described(parameter: Parameter) -> str:
    """Give a parameter's range, its default, and what it is."""
    span = f"{parameter.low:g} to {parameter.high:g} {parameter.unit}"
    kind = ", per pixel" if parameter.per_pixel else ""
    return f"{span}, default {parameter.default:g}{kind}: {parameter.help}"


def engines(family: type[Family], mode: Mode) -> list[str]:
    """Give the engines of the CPU that can filter 8 bits with kernels that one map drives."""
    from svfilter.engines import ENGINES
    from svfilter.engines.base import Problem

    if mode == "scatter" and not family.scatters:
        return []
    narrowest, widest = _ends(family)
    problem = Problem(
        "cpu",
        narrowest.linear(),
        widest.linear(),
        tolerance=0.5 / 255,
        mode=mode,
        guides=3 if family.guided else 0,
    )
    return [name for name, engine in ENGINES.items() if engine.why_not(problem) is None]


def _ends(family: type[Family]) -> tuple[Family, Family]:
    """Give the family with what drives it at its least, and at its default or as stored."""
    from svfilter.kernels.stored import STORED, Basis, Codebook, Dense, Grid

    if family not in STORED.values():
        driven = next(p for p in family.parameters().values() if p.per_pixel)
        return family(**{driven.name: max(driven.low, 0.0)}), family()
    import numpy as np

    kernel = np.full((3, 3), 1 / 9)
    made: list[Family] = [
        Basis(kernels=kernel[None], coefficients=(1.0,)),
        Codebook(kernels=kernel),
        Dense(taps=tuple(kernel.ravel().tolist())),
        Grid(kernels=kernel[None, None]),
    ]
    own = next(one for one in made if type(one) is family)
    return own, own
