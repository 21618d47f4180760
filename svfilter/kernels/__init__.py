"""Kernel families, one file each; FAMILIES finds them all."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from svfilter.kernels.base import Family


def _find() -> dict[str, type[Family]]:
    found = {}
    for info in iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        for thing in vars(module).values():
            own = isinstance(thing, type) and thing.__module__ == module.__name__
            if own and issubclass(thing, Family) and thing is not Family:
                found[info.name] = thing
    return found


FAMILIES: dict[str, type[Family]] = _find()
"""Every kernel family by the name of its file."""
