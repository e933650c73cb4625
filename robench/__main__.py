"""`python -m robench` is `robench`."""

from robench.cli import main

main()
