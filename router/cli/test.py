"""`hubex test`: the suite of the checkout that hubex runs from."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.local.places import checkout
from router.cli.fail import fail


def register(app: typer.Typer) -> None:
    """Adds the command `test` to `app`."""
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(test)


def test(
    context: typer.Context,
    nightly: Annotated[bool, typer.Option("--nightly", help="The same tests with bigger numbers.")] = False,
    group: Annotated[list[str] | None, typer.Option(help="Only this group; can be given more than once.")] = None,
) -> None:
    """Run the whole suite; further arguments go to pytest."""
    folder = checkout()
    if folder is None:
        fail("there are no tests here: hubex was installed from a wheel; use the ./hubex of a checkout")
    known = groups(folder)
    for name in group or ():
        if name not in known:
            fail(f"no group {name!r}; there are {', '.join(known)}")
    selected = ["-m", " or ".join(group)] if group else []
    command = [sys.executable, "-m", "pytest", *selected, *(["--nightly"] if nightly else []), *context.args]
    os.chdir(folder)
    os.execv(sys.executable, command)


def groups(folder: Path) -> tuple[str, ...]:
    """The groups of tests: the markers that the checkout's pyproject.toml registers."""
    import tomllib

    settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    markers = settings["tool"]["pytest"]["ini_options"]["markers"]
    return tuple(name for name, _, text in (marker.partition(": ") for marker in markers) if text.startswith("group"))
