"""Code compiled for this processor: once, then kept in the user's cache folder.

Each module with a `KERNEL` is one function. It is handed addresses and sizes, never arrays, so
that one signature serves every layout, and it runs without the interpreter's lock. numba makes
machine code of it; what is kept is that code, which LLVM alone puts back into a process, in a
tenth of the time that numba takes to start.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import threading
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

LOG = logging.getLogger("svfilter")

_ALONE = threading.RLock()
_TYPES: dict[str, Any] = {"q": ctypes.c_int64, "i": ctypes.c_int32, "f": ctypes.c_float}
_CHECKED = 32  # bytes of the digest that a file begins with


@cache
def missing() -> str | None:
    """Say why nothing can be compiled here, or None if it can."""
    try:
        if not any(_cache_folder().glob("*.o")):  # else it could, and need not again
            import numba  # noqa: F401
    except (ImportError, OSError) as error:  # of numba, of LLVM's library
        return f"numba cannot be imported ({error})"
    return None


def kernel(name: str) -> Callable[..., int]:
    """Give the compiled function of a module, from the cache folder or compiled now."""
    with _ALONE:
        return _linked(name)


@cache
def _linked(name: str) -> Callable[..., int]:
    path = _cache_folder() / f"{name}.o"
    stored = _read(path)
    if stored is None:
        LOG.info("compiling `%s` for this processor, which takes some seconds", name)
        stored = _compile(name)
        try:
            _write(path, *stored)
        except OSError as error:
            LOG.info("it will be compiled again next time: the cache cannot be written (%s)", error)
    return _link(name, *stored)


def _compile(name: str) -> tuple[str, bytes]:
    """Give the name of the function in the machine code, and the machine code."""
    from numba.core import compiler as untyped
    from numba.core.registry import cpu_target

    compiler: Any = untyped
    module = import_module(f"{__name__}.{name}")
    flags = compiler.Flags()
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True  # it is called by its address
    flags.error_model = "numpy"
    contexts = cpu_target.typing_context, cpu_target.target_context
    for context in contexts:
        context.refresh()
    types = module.SIGNATURE.args, module.SIGNATURE.return_type
    made = compiler.compile_extra(*contexts, module.KERNEL, *types, flags, {})
    _, _, (code, _) = made.library.serialize_using_object_code()
    return made.fndesc.llvm_func_name, code


def _link(name: str, symbol: str, code: bytes) -> Callable[..., int]:
    """Put machine code into the process, and give its function."""
    from llvmlite import binding

    from svfilter.compiled.machine import ARGUMENTS

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple().create_target_machine(jit=True)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target)
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _ENGINES.append(engine)  # the code lives as long as it does
    kinds = (_TYPES[kind] for kind in ARGUMENTS[name])
    # numba's convention: the result and an exception, never raised here, come by address.
    prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *kinds)
    function = prototype(engine.get_function_address(symbol))

    def call(*arguments: float) -> int:
        result, nothing = ctypes.c_int64(), ctypes.c_void_p()
        function(ctypes.addressof(result), ctypes.addressof(nothing), *arguments)
        return result.value

    return call


_ENGINES: list[Any] = []


def _read(path: Path) -> tuple[str, bytes] | None:
    """Read what `_write` wrote; None where there is nothing, or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, rest = content[:_CHECKED], content[_CHECKED:]
    if hashlib.sha256(rest).digest() != digest:
        return None
    symbol, _, code = rest.partition(b"\0")
    return symbol.decode(), code


def _write(path: Path, symbol: str, code: bytes) -> None:
    """Write machine code so that another process sees all of it or nothing."""
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    rest = symbol.encode() + b"\0" + code
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(hashlib.sha256(rest).digest() + rest)
            file.close()
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise


@cache
def _cache_folder() -> Path:
    """Name the folder for this very code, this numba and this processor."""
    from platformdirs import user_cache_path

    from svfilter.compiled.machine import CPU, FEATURES

    digest = hashlib.sha256(f"{CPU} {FEATURES}".encode() + _numba_version())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    folder = os.environ.get("SVFILTER_CACHE_DIR")
    base = Path(folder) if folder else user_cache_path("svfilter", appauthor=False)
    return base / digest.hexdigest()[:20]


def _numba_version() -> bytes:
    """Read what says the version of numba: to ask for it would cost more than the whole link."""
    numba = find_spec("numba")
    if numba is None or numba.origin is None:
        raise ModuleNotFoundError("No module named 'numba'")
    return Path(numba.origin).with_name("_version.py").read_bytes()
