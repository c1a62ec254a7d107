"""What `hubex validate` and `hubex convert` share: the pack, the files, and how far they are."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from router.cli.fail import fail
from router.settings.code_file import CodeFile
from router.settings.config import find_config, load_config
from router.settings.pack_folders import pack_folder, shipped_packs
from router.settings.strict import SettingsError
from validators import Pack, PackError, load_pack
from validators.manifest import UseCase

STANDARD_INPUT: Final = "-"
_PROGRESS_SECONDS: Final = 0.2

Files = Annotated[
    list[str], typer.Argument(metavar="FILE...|-", help="JSON or XML, told by content; - is standard input.")
]
PackName = Annotated[str, typer.Option("--pack", help="The model pack, by name.")]
ModelName = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="JSON files are bodies of this model, without their root.")
]
ConfigFile = Annotated[Path | None, typer.Option(help="The configuration file (TOML), for imported packs.")]


def chosen(name: str, config: Path | None, model: str | None) -> tuple[Pack, UseCase | None]:
    """The pack, and the use case of bodies without root. Ends the command when there is no such pack or model."""
    folder = shipped_packs() / name
    try:
        if not folder.is_dir():  # only imported packs need the configuration
            folder = pack_folder(name, load_config(find_config(config, os.environ), os.environ).packs.folder)
        pack = load_pack(folder)
    except SettingsError as error:
        fail(str(error))
    except PackError as error:
        fail(f"no model pack {name!r} (`hubex schemas list`): {'; '.join(error.faults)}")
    pack.compile(CodeFile(folder))
    cases = {case.model: case for case in pack.manifest.use_cases}
    if model is not None and model not in cases:
        fail(f"pack {name!r} has no model {model!r}; it has {', '.join(cases)}")
    return pack, cases[model] if model is not None else None


def contents(files: list[str]) -> Iterator[tuple[str, bytes | None]]:
    """Each file's name and bytes; a file that cannot be read is said on standard error, and None."""
    if files.count(STANDARD_INPUT) > 1:
        fail("standard input (-) can be read once only")
    progress = _Progress(len(files))
    for done, file in enumerate(files):
        progress.show(done)
        try:
            body = _standard_input() if file == STANDARD_INPUT else Path(file).read_bytes()
        except OSError as error:
            progress.clear()
            typer.echo(f"hubex: {printed(file)}: {error.strerror}", err=True)
            yield file, None
        else:
            progress.clear_for_output()
            yield file, body
    progress.clear()


def _standard_input() -> bytes:
    if sys.stdin is None:  # closed by whoever started the command
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return sys.stdin.buffer.read()


def printed(file: str) -> str:
    """A file's name as text, whatever its bytes."""
    return os.fsencode(file).decode("utf-8", "replace")


def put(text: bytes) -> None:
    """To standard output, as these bytes whatever the terminal's encoding. Ends the command when they cannot be
    written; BrokenPipeError when the reader has had enough."""
    if sys.stdout is None:
        fail("standard output is closed")
    try:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(f"standard output: {error.strerror}")


class _Progress:
    """How many files are done, on standard error, when that is a terminal."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._wanted = total > 1 and sys.stderr.isatty()
        self._clear_each = self._wanted and sys.stdout.isatty()
        self._shown_at = time.monotonic()
        self._shown = False

    def show(self, done: int) -> None:
        """At most five times a second."""
        if self._wanted and time.monotonic() - self._shown_at >= _PROGRESS_SECONDS:
            self._shown_at = time.monotonic()
            self._shown = True
            sys.stderr.write(f"\r{done}/{self._total}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Leave an empty line."""
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def clear_for_output(self) -> None:
        """The same where output goes to the same terminal."""
        if self._clear_each:
            self.clear()
