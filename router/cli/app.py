"""The console script `hubex`: one file a command group in this folder, each with `register(app)`.

A file whose name is the command's is loaded alone, so that no command pays for the imports of the others.
"""

import sys
from importlib import import_module
from pkgutil import iter_modules

import typer

import router.cli

NOT_COMMANDS = ("app", "fail", "files", "bench_ground", "bench_series")
"""What the commands of this folder share."""


def groups() -> list[str]:
    """The modules of this folder that hold commands."""
    return [module.name for module in iter_modules(router.cli.__path__) if module.name not in NOT_COMMANDS]


def assemble(arguments: list[str]) -> typer.Typer:
    """The command line with the command that the arguments name, or with all of them."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP)
    # Without a callback, an application with one command would have no command names.
    app.callback()(lambda: None)
    names = groups()
    for name in [argument for argument in arguments[:1] if argument in names] or names:
        import_module(f"{router.cli.__name__}.{name}").register(app)
    return app


HELP = "hubex: a message hub for emergency services, on RabbitMQ."


def main() -> None:
    """Entry point of the console script."""
    assemble(sys.argv[1:])()
