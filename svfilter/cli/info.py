"""`svfilter info`: what is installed, and what can run here."""

from __future__ import annotations

import platform
from importlib.metadata import version

import click


@click.command()
def info() -> None:
    """Print versions, devices and engines, with reasons.

    What cannot run here says why.
    """
    from svfilter import __version__, devices
    from svfilter.engines import ENGINES
    from svfilter.engines.base import Problem

    lines = [f"svfilter {__version__}", "", "versions"]
    lines += [f"  {'python':<11}{platform.python_version()}"]
    lines += [f"  {name:<11}{version(name)}" for name in ("torch", "numpy", "pillow")]
    lines += ["", "devices"]
    reasons = {name: devices.why_not(name) for name in devices.DEVICES}
    lines += [f"  {name:<11}{_available(reason)}" for name, reason in reasons.items()]
    lines += ["", "engines"]
    for name, engine in ENGINES.items():
        lines += [f"  {name:<11}{engine.summary}; error at most {engine.error}"]
        for device, absent in reasons.items():
            reason = absent or engine.why_not(Problem(device))
            lines += [f"    {device:<9}{_available(reason)}"]
    click.echo("\n".join(lines))


def _available(reason: str | None) -> str:
    return "available" if reason is None else f"not available: {reason}"
