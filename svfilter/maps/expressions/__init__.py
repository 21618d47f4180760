"""Expressions of maps: from a text to levels, in a small language of our own."""

from __future__ import annotations

from svfilter.maps.expressions.computing import evaluate
from svfilter.maps.expressions.functions import FUNCTIONS, GENERATORS
from svfilter.maps.expressions.grammar import Formula, check_name, parse

__all__ = ["FUNCTIONS", "GENERATORS", "Formula", "check_name", "evaluate", "parse"]
