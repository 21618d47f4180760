"""Where the parameters of kernels come from: drivers, one file for each kind of them."""

from __future__ import annotations

from svfilter.maps.base import Driver, Opened
from svfilter.maps.channels import INTENSITY, REC_709
from svfilter.maps.depth import Focus
from svfilter.maps.extremes import Percent
from svfilter.maps.flow import Flow
from svfilter.maps.pictures import Channel, EachChannel
from svfilter.maps.ramp import Ramp
from svfilter.maps.shaping import Shaped, Shaping
from svfilter.maps.together import Maps
from svfilter.maps.turning import Spin, Zoom

__all__ = [
    "INTENSITY",
    "REC_709",
    "Channel",
    "Driver",
    "EachChannel",
    "Flow",
    "Focus",
    "Maps",
    "Opened",
    "Percent",
    "Ramp",
    "Shaped",
    "Shaping",
    "Spin",
    "Zoom",
]
