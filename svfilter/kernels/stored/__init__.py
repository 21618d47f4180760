"""Families whose kernels are stored, not computed: they need kernels that a user brings.

So they have no defaults, and are not among FAMILIES, which can be had by name alone.
"""

from __future__ import annotations

from svfilter.kernels.stored.base import Stored
from svfilter.kernels.stored.basis import Basis
from svfilter.kernels.stored.codebook import Codebook
from svfilter.kernels.stored.dense import Dense
from svfilter.kernels.stored.grid import Grid

__all__ = ["STORED", "Basis", "Codebook", "Dense", "Grid"]

STORED: dict[str, type[Stored]] = {
    "basis": Basis,
    "codebook": Codebook,
    "dense": Dense,
    "grid": Grid,
}
"""Every family of stored kernels by the name of its file."""
