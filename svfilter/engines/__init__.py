"""Engines, one file each; ENGINES finds them all, choose_engine picks one."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from svfilter.engines.base import Engine, Problem
from svfilter.errors import EngineUnavailable, InvalidArgument

ENGINES: dict[str, Engine] = {
    info.name: import_module(f"{__name__}.{info.name}").ENGINE
    for info in iter_modules(__path__)
    if info.name != "base"
}
"""Every engine by the name of its file."""


def choose_engine(name: str, problem: Problem) -> Engine:
    """Give the engine of that name, or with "auto" the first automatic one that can run.

    Raises:
        InvalidArgument: there is no engine of that name.
        EngineUnavailable: it cannot run the problem (with "auto": none can); the message says
            why. No other engine is taken in its place.
    """
    if name == "auto":
        reasons = {}
        for engine in ENGINES.values():
            if engine.automatic:
                reason = engine.why_not(problem)
                if reason is None:
                    return engine
                reasons[engine.name] = reason
        told = "; ".join(f"{engine}: {reason}" for engine, reason in reasons.items())
        raise EngineUnavailable(f"no engine can run this: {told}")
    if name not in ENGINES:
        raise InvalidArgument(f"engine must be auto, {', '.join(ENGINES)}, but is {name!r}")
    if reason := ENGINES[name].why_not(problem):
        raise EngineUnavailable(f"engine {name} cannot run this: {reason}")
    return ENGINES[name]
