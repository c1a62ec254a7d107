"""`hubex parked`: the messages that the hub could not deliver and keeps for a day, looked at and dealt with."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from router.cli.fail import fail
from router.client.connect import ClientError
from router.client.printable import printable, printable_body
from router.core.directory import Directory
from router.parked import formatting
from router.parked.audit import FILE_NAME, Audit, AuditError
from router.parked.drop import drop
from router.parked.message import Parked
from router.parked.replay import replay
from router.parked.store import Held, opened
from router.settings.config import Config, find_config, load_config
from router.settings.directory_file import read_directory
from router.settings.strict import SettingsError
from router.settings.topology_file import read_topology

Item = TypeVar("Item")

ConfigFile = Annotated[Path | None, typer.Option(help="The configuration file (TOML).")]
Vhost = Annotated[str, typer.Option(help="As a rule all that the configuration names.")]
Reason = Annotated[str, typer.Option(metavar="R", help="Only those that were parked for this reason.")]
Body = Annotated[bool, typer.Option("--body", help="Print the payload too; this is written to the audit file.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="As `hubex parked list` shows them.")]


def register(app: typer.Typer) -> None:
    """Adds the command group `parked` to `app`."""
    group = typer.Typer(no_args_is_help=True, help="Messages that the hub keeps because it could not deliver them.")
    group.command("list")(list_)
    group.command("show")(show)
    group.command("replay")(replay_)
    group.command("drop")(drop_)
    app.add_typer(group, name="parked")


def list_(reason: Reason = "", body: Body = False, vhost: Vhost = "", config: ConfigFile = None) -> None:
    """List what is parked, oldest first. No payload without --body."""
    settings = _settings(config)
    audit = _audit(settings)
    typer.echo(formatting.HEADING)

    async def work() -> int:
        count = 0
        for name in _vhosts(settings, vhost):
            async with opened(settings, name) as queue, aclosing(queue.look()) as looked_at:
                async for held in looked_at:
                    if not reason or held.parked.reason == reason:
                        typer.echo(formatting.row(held.parked))
                        count += 1
                        if body:
                            _show_body(audit, "list --body", held)
        return count

    count = _run(work())
    typer.echo(f"{count} parked message{'' if count == 1 else 's'}")


def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `hubex parked list` shows it.")],
    body: Body = False,
    vhost: Vhost = "",
    config: ConfigFile = None,
) -> None:
    """Show one parked message. No payload without --body."""
    settings = _settings(config)
    audit = _audit(settings)

    async def work() -> bool:
        for name in _vhosts(settings, vhost):
            async with opened(settings, name) as queue, aclosing(queue.look()) as looked_at:
                async for held in looked_at:
                    if held.parked.id == id:
                        typer.echo(formatting.details(held.parked))
                        if body:
                            _show_body(audit, "show --body", held)
                        return True
        return False

    if not _run(work()):
        _missing({id})


def replay_(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Which ones.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All of them, or all of one --reason.")] = False,
    reason: Reason = "",
    vhost: Vhost = "",
    config: ConfigFile = None,
) -> None:
    """Give parked messages to the hub again: they are decided anew, and marked as possible duplicates.

    One that has expired is refused by the hub, which tells its sender. Exit code 1 when one could not be
    replayed; it stays parked."""
    wanted = set(ids or ())
    if bool(wanted) == all_ or (reason and not all_):
        fail("say which: ID..., or --all, or --all --reason R")
    settings = _settings(config)
    audit = _audit(settings)
    seen: set[str] = set()

    def chosen(parked: Parked) -> bool:
        if parked.id not in wanted and not (all_ and (not reason or parked.reason == reason)):
            return False
        seen.add(parked.id)
        audit.note("replay", parked)
        return True

    done, failed = _run(_replay_all(settings, vhost, chosen))
    typer.echo(f"{done} replayed" + (f", {failed} still parked" if failed else ""))
    _missing(wanted - seen)
    if failed:
        raise typer.Exit(1)


async def _replay_all(settings: Config, vhost: str, chosen: Callable[[Parked], bool]) -> tuple[int, int]:
    clients = read_directory(settings.directory.file, settings.directory.extra_ids)
    versions = read_topology(settings.topology.file)
    done = failed = 0
    for name in _vhosts(settings, vhost):
        if name not in versions:
            raise ClientError(f"{settings.topology.file} has no vhost {name!r}: run `hubex topology apply`")
        async with aclosing(replay(settings, Directory(clients, name), versions[name], chosen)) as results:
            async for result in results:
                name_of = f"{result.parked.id}  {printable(result.parked.reference)}"
                if result.why:
                    failed += 1
                    typer.echo(f"hubex: {name_of}: {result.why}", err=True)
                else:
                    done += 1
                    typer.echo(f"replayed {name_of}  to {result.queue}")
    return done, failed


def drop_(ids: Ids, vhost: Vhost = "", config: ConfigFile = None) -> None:
    """Take parked messages out for good. There is no way back, and the sender is not told again."""
    settings = _settings(config)
    audit = _audit(settings)
    wanted, seen = set(ids), set[str]()

    def chosen(parked: Parked) -> bool:
        if parked.id in wanted:
            audit.note("drop", parked)
            seen.add(parked.id)
        return parked.id in wanted

    async def work() -> None:
        for name in _vhosts(settings, vhost):
            async with aclosing(drop(settings, name, chosen)) as dropped:
                async for parked in dropped:
                    typer.echo(f"dropped {parked.id}  {printable(parked.reference)}")

    _run(work())
    _missing(wanted - seen)


# ---- what they share -----------------------------------------------------------------------------


def _settings(config: Path | None) -> Config:
    try:
        return load_config(find_config(config, os.environ), os.environ)
    except SettingsError as error:
        fail(str(error))


def _audit(settings: Config) -> Audit:
    return Audit(settings.topology.file.parent / FILE_NAME)


def _vhosts(settings: Config, vhost: str) -> list[str]:
    names = [known.name for known in settings.vhosts if not vhost or known.name == vhost]
    if not names:
        raise ClientError(f"vhost {vhost!r} is not in the configuration")
    return names


def _show_body(audit: Audit, action: str, held: Held) -> None:
    audit.note(action, held.parked)
    typer.echo(printable_body(held.delivery.body))


def _missing(ids: set[str]) -> None:
    if ids:
        fail(f"no parked message {', '.join(sorted(map(printable, ids)))}")


def _run(work: Coroutine[Any, Any, Item]) -> Item:
    try:
        return asyncio.run(work)
    except (ClientError, SettingsError, AuditError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
