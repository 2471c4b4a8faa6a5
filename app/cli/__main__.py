"""`python -m app.cli`: the same as `accord`."""

from app.cli import main

main()
