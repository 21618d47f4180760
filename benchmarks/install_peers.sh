#!/bin/sh
# Installs what the benchmarks compare with, on Debian and Ubuntu. svfilter needs none of it.
set -eu
apt-get update
apt-get install --yes imagemagick gegl ffmpeg libvips-tools
python -m pip install opencv-python-headless scipy
