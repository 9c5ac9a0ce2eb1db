"""`python -m lineshaft.app` is the command line."""

from lineshaft.app.cli import main

main()
