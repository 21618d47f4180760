"""Damaged files by the thousand, and what svfilter makes of them: see README.md."""
