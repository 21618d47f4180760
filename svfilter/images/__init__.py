"""Files, bytes and streams <-> planar float windows, and everything worth keeping of a file.

open_image(source) -> ImageReader.read(window) -> ... -> ImageWriter.write(window, planes)
"""
