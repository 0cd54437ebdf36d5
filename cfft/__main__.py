"""Run the command line with `python -m cfft`."""

from cfft.cli import main

main()
