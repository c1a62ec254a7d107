"""How a command ends when the trouble is its user's: one line, exit code 2, no traceback."""

from typing import NoReturn

import typer


def fail(text: str) -> NoReturn:
    """Says `hubex: <text>` on standard error and ends the command with exit code 2."""
    typer.echo(f"hubex: {text}", err=True)
    raise typer.Exit(2)
