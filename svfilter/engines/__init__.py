"""Engines, one file each; ENGINES finds them all, choose_engine picks one."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from svfilter.engines.base import ROUNDING, Engine, Problem
from svfilter.errors import EngineUnavailable, InvalidArgument

ENGINES: dict[str, Engine] = {
    info.name: import_module(f"{__name__}.{info.name}").ENGINE
    for info in iter_modules(__path__)
    if info.name != "base"
}
"""Every engine by the name of its file."""


def choose_engine(name: str, problem: Problem) -> Engine:
    """Give the engine of that name, or with "auto" the cheapest automatic one that can run.

    Raises:
        InvalidArgument: there is no engine of that name.
        EngineUnavailable: it cannot run the problem (with "auto": none can); the message says
            why. No other engine is taken in its place.
    """
    if name == "auto":
        able = [e for e in ENGINES.values() if e.automatic and e.why_not(problem) is None]
        # Cheapest first: to state its bound, an engine may have to work.
        for engine in sorted(able, key=lambda engine: engine.cost(problem)):
            if _too_far_off(engine, problem) is None:
                return engine
        told = "; ".join(
            f"{engine.name}: {engine.why_not(problem) or _too_far_off(engine, problem)}"
            for engine in ENGINES.values()
            if engine.automatic
        )
        raise EngineUnavailable(f"no engine can run this: {told}")
    if name not in ENGINES:
        raise InvalidArgument(f"engine must be auto, {', '.join(ENGINES)}, but is {name!r}")
    engine = ENGINES[name]
    if reason := engine.why_not(problem) or _too_far_off(engine, problem):
        raise EngineUnavailable(f"engine {name} cannot run this: {reason}")
    return engine


def _too_far_off(engine: Engine, problem: Problem) -> str | None:
    bound = engine.bound(problem)
    if bound <= max(problem.tolerance, ROUNDING):
        return None
    return f"its error is at most {bound:.2g}, and the tolerance is {problem.tolerance:.2g}"


def passed_over(chosen: Engine, problem: Problem) -> dict[str, str]:
    """Say for every other engine why it was not taken."""
    own = chosen.cost(problem)
    reasons = {}
    for engine in ENGINES.values():
        if engine is chosen:
            continue
        reason = engine.why_not(problem)
        if reason is None and not engine.automatic:
            reason = "it is never chosen by itself"
        if reason is None and (ratio := engine.cost(problem) / own) >= 1:
            reason = f"about {ratio:.{0 if ratio >= 10 else 1}f} times the cost"
        reasons[engine.name] = reason or _too_far_off(engine, problem) or "it was not asked for"
    return reasons
