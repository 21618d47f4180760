"""`python -m svfilter` is `svfilter`."""

from svfilter.cli import main

main()
