"""`hubex convert`: valid files in the other format, without a broker."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from router.cli.fail import fail
from router.cli.files import STANDARD_INPUT, ConfigFile, Files, ModelName, PackName, chosen, contents, printed, put
from validators import Pack, Unwritable, sentence
from validators.documents import converted, judge
from validators.manifest import UseCase

To = Annotated[Literal["json", "xml"], typer.Option("--to", help="The format wanted.")]
Out = Annotated[Path | None, typer.Option(help="A folder for the results; due for more than one file.")]


def register(app: typer.Typer) -> None:
    """Adds the command `convert` to `app`."""
    app.command()(convert)


def convert(
    files: Files,
    to: To,
    pack: PackName = "v3",
    out: Out = None,
    model: ModelName = None,
    config: ConfigFile = None,
) -> None:
    """Convert whole messages, or bodies of use cases alone: one file to standard output, or all to a folder.

    A file keeps its name but for its ending; one that is in the wanted format already keeps its bytes. What is not
    valid, or cannot be written in the other format, is not converted, and said on standard error. Exit code 0: all are
    converted; 1: one is not; 2: misuse, or a file that cannot be read or written (the others are converted).
    """
    targets = _targets(files, out, to)
    judging, rootless = chosen(pack, config, model)
    code = 0
    for file, body in contents(files):
        result = None if body is None else _converted(file, body, judging, rootless, to)
        code = max(code, 2 if body is None else 1 if result is None else 0)
        if result is not None and not _written(result, targets.get(file)):
            code = 2
    raise typer.Exit(code)


def _targets(files: list[str], out: Path | None, to: str) -> dict[str, Path]:
    """Where each file's result goes; empty: standard output."""
    if out is None:
        if len(files) > 1:
            fail("convert: give a folder for the results with --out")
        return {}
    if not out.is_dir():
        fail(f"{out}: is no folder")
    targets = {file: out / f"{'stdin' if file == STANDARD_INPUT else Path(file).stem}.{to}" for file in files}
    if len(set(targets.values())) < len(files):
        fail("convert: two files would have one result; convert them into different folders")
    return targets


def _converted(
    file: str, body: bytes, pack: Pack, rootless: UseCase | None, to: Literal["json", "xml"]
) -> bytes | None:
    document = judge(pack, body, rootless)
    faults = document.faults
    if not faults:
        try:
            return body if document.format == to else converted(pack, document, to, rootless)
        except Unwritable as error:
            faults = error.faults
    for fault in faults:
        typer.echo(f"{printed(file)}: {sentence(fault, 'fr')} / {sentence(fault, 'en')}", err=True)
    return None


def _written(result: bytes, target: Path | None) -> bool:
    if target is None:
        put(result)
        return True
    try:
        target.write_bytes(result)
    except OSError as error:
        typer.echo(f"hubex: {target}: {error.strerror}", err=True)
        return False
    return True
