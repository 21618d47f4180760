"""Where a filter can run, and how much memory is free there."""

from __future__ import annotations

import ctypes
import os

from svfilter.errors import EngineUnavailable, InvalidArgument

DEVICES = ("cpu", "cuda", "mps", "xpu")
"""Kinds of device, by torch's names."""

MODEST_SHARE = 8
"""A default memory budget is the free memory divided by this,"""
MODEST_LIMIT = 512 * 2**20
"""and no more than this many bytes."""


def why_not(device: str) -> str | None:
    """Say why nothing can run on a device ("cuda", "cuda:1") here, or None if it can."""
    kind = device.partition(":")[0]
    if kind == "cpu":
        return None
    import torch

    if kind == "cuda":
        if torch.version.cuda is None and torch.version.hip is None:
            return f"torch {torch.__version__} is built without CUDA"
        if not torch.cuda.is_available():
            return "torch finds no CUDA device"
        index = int(device.partition(":")[2] or 0)
        if index >= torch.cuda.device_count():
            return f"there are only {torch.cuda.device_count()} CUDA devices, counted from 0"
        return None
    backend = torch.backends.mps if kind == "mps" else torch.xpu
    return None if backend.is_available() else f"torch finds no {kind.upper()} device"


def resolve(device: str) -> str:
    """Turn "auto" into CUDA where there is one, else the CPU; check a device given by name.

    Raises:
        InvalidArgument: the name is of no kind of device.
        EngineUnavailable: the device named is not here; the message says why.
    """
    if device == "auto":
        return "cuda" if _has_gpu_driver() and why_not("cuda") is None else "cpu"
    kind, _, index = device.partition(":")
    if kind not in DEVICES or (":" in device and not index.isdecimal()):
        raise InvalidArgument(
            f"device must be auto, {', '.join(DEVICES)}, or one with a number as in cuda:0, "
            f"but is {device!r}"
        )
    if reason := why_not(device):
        raise EngineUnavailable(f"device {device} cannot be used: {reason}")
    return device


def _has_gpu_driver() -> bool:
    """Tell whether a driver that torch calls cuda is installed, without importing torch."""
    for library in ("libcuda.so.1", "nvcuda.dll", "libamdhip64.so", "amdhip64.dll"):
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        return True
    return False


def modest_memory(device: str) -> int:
    """Give a budget in bytes that leaves the machine to others: a share of what is free."""
    if device.startswith("cuda"):
        import torch

        free = torch.cuda.mem_get_info(device)[0]
    else:
        free = free_memory()
    return min(free // MODEST_SHARE, MODEST_LIMIT)


def free_memory() -> int:
    """Give the bytes that are free in this machine."""
    import psutil

    return int(psutil.virtual_memory().available)


def process_memory() -> int:
    """Give the bytes of memory that this process uses now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def threads(jobs: int | None) -> int:
    """Give the number of threads: the one asked for, or one for each core that may be used."""
    if jobs is not None:
        return jobs
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
