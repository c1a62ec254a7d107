"""`hubex schemas`: the model packs that there are, what is wrong with one, and new ones from published models."""

import os
import re
import shutil
from pathlib import Path
from typing import Annotated

import orjson
import typer

from router.cli.fail import fail
from router.settings.code_file import CodeFile
from router.settings.config import find_config, load_config
from router.settings.pack_folders import pack_folder, pack_folders, shipped_packs
from router.settings.sections import PACK_NAME
from router.settings.strict import SettingsError
from validators import PackError, load_pack
from validators.importing import ENVELOPES, ImportFaults, import_models
from validators.manifest import MANIFEST, Manifest, read_manifest
from validators.published import SUFFIX, file_of

ConfigFile = Annotated[Path | None, typer.Option(help="The configuration file (TOML).")]
Packs = Annotated[list[str] | None, typer.Argument(metavar="[DIR|PACK]...", help="Default: every pack.")]
Models = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of published JSON Schemas.")]
Name = Annotated[str | None, typer.Option(help="The new pack's name. Default: the folder's, in lower case.")]
Namespace = Annotated[
    str | None, typer.Option(help="Its base XML namespace. Default: that of the newest shipped pack.")
]


def register(app: typer.Typer) -> None:
    """Adds the command group `schemas` to `app`."""
    group = typer.Typer(no_args_is_help=True, help="Model packs.")
    group.command("list")(list_)
    group.command()(check)
    group.command("import")(import_)
    app.add_typer(group, name="schemas")


def list_(config: ConfigFile = None) -> None:
    """Every pack: version, place, use cases by model and root element. Exit code 1 when one is broken."""
    broken = False
    for name, folder in pack_folders(_imported(config)).items():
        where = "shipped" if folder.parent == shipped_packs() else str(folder)
        try:
            manifest = load_pack(folder).manifest
        except PackError as error:
            typer.echo(f"{name}  broken, {len(error.faults)} faults: see `hubex schemas check {name}`  {where}")
            broken = True
            continue
        typer.echo(f"{name}  version {manifest.version}  {len(manifest.use_cases)} use cases  {where}")
        for case in manifest.use_cases:
            typer.echo(f"    {case.model}  {case.root}{'' if case.header else '  (no header)'}")
    raise typer.Exit(1 if broken else 0)


def check(packs: Packs = None, config: ConfigFile = None) -> None:
    """Load packs and compile all their validators; the code is kept beside them (`__pycache__`).

    Every fault is a line; exit code 1 when there is one.
    """
    imported = _imported(config)
    folders = {given: _named(given, imported) for given in packs} if packs else pack_folders(imported)
    broken = False
    for name, folder in folders.items():
        try:
            pack = load_pack(folder)
            pack.compile(CodeFile(folder))
        except PackError as error:
            broken = True
            for fault in error.faults:
                typer.echo(f"{name}: {fault}")
        else:
            typer.echo(f"{name}: whole, {len(pack.manifest.use_cases)} use cases")
    raise typer.Exit(1 if broken else 0)


def import_(directory: Models, name: Name = None, namespace: Namespace = None, config: ConfigFile = None) -> None:
    """Make a pack of published models, in `packs.folder`. Every fault is a line, and then nothing is written.

    The envelope is EDXL-DE-full.schema.json or EDXL-DE.schema.json, or the one file that leads to use cases. Namespaces
    are not published with the schemas: they are made as in the shipped pack of the same base, else of the newest. Files
    that the envelope does not lead to are left out. A vhost then names the pack; SIGHUP reloads. Exit code 1: faults.
    """
    if not directory.is_dir():
        fail(f"{directory}: is no folder")
    called = name or directory.resolve().name.lower()
    if not re.fullmatch(PACK_NAME, called):
        fail(f"{called!r} is no name for a pack (small letters, digits and . _ -): give one with --name")
    imported = _imported(config)
    target = pack_folder(called, imported)
    if target.exists():
        fail(f"there is a pack {called!r} already, in {target}: take it away, or give another --name")
    try:
        files = {path.name: path.read_bytes() for path in sorted(directory.glob(f"*{SUFFIX}"))}
        base = namespace or _shipped_manifests()[-1].base_namespace
        made = import_models(files, called, _pattern(base), base)
        pack_version = _write(made, target)
    except (ImportFaults, PackError) as error:
        for fault in error.faults:
            typer.echo(f"{directory}: {fault}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        fail(str(error))
    left_out = sorted(files.keys() - made.keys() - {file_of(model) for model in ENVELOPES})
    typer.echo(f"{target}: version {pack_version}, {len(made[MANIFEST]['use_cases'])} use cases")
    if left_out:
        typer.echo(f"left out, since the envelope does not lead there: {', '.join(left_out)}")


def _imported(config: Path | None) -> Path:
    try:
        return load_config(find_config(config, os.environ), os.environ).packs.folder
    except SettingsError as error:
        fail(str(error))


def _named(given: str, imported: Path) -> Path:
    """A folder, or the name of a pack."""
    folder = Path(given)
    if folder.is_dir():
        return folder
    folder = pack_folder(given, imported)
    if not folder.is_dir():
        fail(f"{given}: is neither a folder nor a pack in {shipped_packs()} or {imported}")
    return folder


def _shipped_manifests() -> list[Manifest]:
    """Oldest first."""
    return [read_manifest(path.read_bytes()) for path in sorted(shipped_packs().glob(f"*/{MANIFEST}"))]


def _pattern(base: str) -> Manifest:
    """The shipped pack to make namespaces like: the newest of the same base, else the newest."""
    shipped = _shipped_manifests()
    return ([manifest for manifest in shipped if manifest.base_namespace == base] or shipped)[-1]


def _write(files: dict[str, dict[str, object]], target: Path) -> str:
    """Writes the pack beside its place and moves it there once it has loaded. Returns its version; raises PackError."""
    beside = target.with_name(f".{target.name}.importing")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        for file, content in files.items():
            path = beside / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        pack = load_pack(beside)
        pack.compile(CodeFile(beside))
        beside.rename(target)
        return pack.version
    finally:
        shutil.rmtree(beside, ignore_errors=True)
