"""`python -m pointsman` is the `pointsman` command."""

from pointsman.cli.app import main

main()
