"""`svfilter info`: what is installed, and what can run here."""

from __future__ import annotations

import platform
from importlib.util import find_spec

import click

PACKAGES = ("numpy", "pillow", "openimageio", "tifffile", "imagecodecs", "numba", "torch")
EXTRAS = {"pillow-heif": "reads HEIC", "rawpy": "reads raw photos", "zarr": "reads and writes Zarr"}


@click.command()
def info() -> None:
    """Print versions, devices and engines, with reasons.

    What cannot run here says why.
    """
    from importlib.metadata import version

    from svfilter import __version__, devices
    from svfilter.engines import ENGINES
    from svfilter.engines.base import Problem
    from svfilter.kernels.gaussian import Gaussian

    width = 2 + max(map(len, ENGINES))
    lines = [f"svfilter {__version__}", "", "versions"]
    lines += [f"  {'python':<{width}}{platform.python_version()}"]
    lines += [f"  {name:<{width}}{version(name)}" for name in PACKAGES]
    for name, use in EXTRAS.items():
        found = version(name) if find_spec(name.replace("-", "_")) else f"not installed: {use}"
        lines += [f"  {name:<{width}}{found}"]
    lines += ["", "devices"]
    reasons = {name: devices.why_not(name) for name in devices.DEVICES}
    lines += [f"  {name:<{width}}{_available(reason)}" for name, reason in reasons.items()]
    lines += ["", "engines"]
    for name, engine in ENGINES.items():
        lines += [f"  {name:<{width}}{engine.summary}; error at most {engine.error}"]
        for device in (device for device, absent in reasons.items() if absent is None):
            reason = engine.why_not(
                Problem(device, Gaussian(sigma=0.0), Gaussian(sigma=4.0), tolerance=0.5 / 255)
            )
            lines += [f"    {device:<{width - 2}}{_available(reason)}"]
    click.echo("\n".join(lines))


def _available(reason: str | None) -> str:
    return "available" if reason is None else f"not available: {reason}"
