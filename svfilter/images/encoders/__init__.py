"""Rows of pixels as stored -> files: one file for each format or library that writes."""
