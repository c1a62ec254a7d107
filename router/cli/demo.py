"""`hubex demo`: the whole hub on this machine, playing the ten steps, then open for one's own messages."""

import asyncio
import shutil
import signal
import sys
import time
from pathlib import Path
from shlex import quote
from typing import Annotated, NoReturn

import typer

from deploy.local import BrokerNotFound, LocalClusterError, checkout, state_root
from router.cli.fail import fail
from router.client.connect import ClientError
from router.client.demo.log_tail import LogTail
from router.client.demo.play import LATE_SECONDS, SAMU, SDIS, StepMissing, play
from router.client.demo.stage import Stage
from router.client.samples import RC_EDA, sample
from router.settings.strict import SettingsError
from router.topology.management import ManagementError


def register(app: typer.Typer) -> None:
    """Adds the command `demo` to `app`."""
    app.command(name="demo")(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the ten steps instead of staying up.")] = False,
    root: Annotated[Path | None, typer.Option(help="Where the demo keeps its folder; as a rule .hubex.")] = None,
) -> None:
    """A private broker, a hub and two clients: SDIS 50 sends SAMU 50 an RC-EDA and gets its acknowledgement.

    With --once, exit code 0 after the ten steps; not 0 when one is missing or later than 10 s."""
    _obey_signals()
    try:
        with Stage(root or state_root(), _say) as stage:
            _play(stage)
            if not once:
                _stay_up(stage)
            _say("Arrêt… / stopping…")
    except StepMissing as missing:
        typer.echo(f"hubex: {missing}", err=True)
        raise typer.Exit(1) from None
    except (ClientError, SettingsError, ManagementError, LocalClusterError, BrokerNotFound, OSError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _play(stage: Stage) -> None:
    broker = stage.config.broker
    vhost = stage.config.vhosts[0].name
    _say(f"{SDIS} → {SAMU}, RC-EDA, vhost {vhost}, broker {broker.host}:{broker.port}")
    _say("")
    started = time.monotonic()
    asyncio.run(play(stage.config, sample(RC_EDA), LogTail(stage.log_path), _say))
    seconds = time.monotonic() - started
    _say("")
    _say(f"Les dix étapes en {seconds:.1f} s (au plus {LATE_SECONDS:.0f} s chacune) / all ten steps in {seconds:.1f} s")


def _stay_up(stage: Stage) -> None:
    try:
        for line in _advice(stage):
            _say(line)
        while True:
            time.sleep(0.5)
            stage.check_hub()
    except KeyboardInterrupt:
        return


def _advice(stage: Stage) -> list[str]:
    hubex, config = _command(), f"--config {quote(str(stage.config_path))}"
    return [
        "",
        "Le hub reste en marche. Dans d'autres terminaux / the hub stays up; in other terminals:",
        "  SAMU 50 lit et acquitte / reads and acknowledges:",
        f"    {hubex} recv --as {SAMU} --ack {config}",
        "  SDIS 50 lit / reads:",
        f"    {hubex} recv --as {SDIS} {config}",
        "  SDIS 50 envoie votre message (éditez-le) / sends a message of your own (edit it):",
        f"    {hubex} send {quote(str(stage.message_path))} --as {SDIS} --to {SAMU} --fresh {config}",
        f"  Journal du hub / the hub's log: {stage.log_path}",
        f"  Console du broker / the broker's console: {stage.cluster.management_url} ({stage.cluster.admin_user},"
        f" {stage.config.management.password_file})",
        "",
        "Ctrl-C arrête tout / Ctrl-C stops everything.",
    ]


def _command() -> str:
    """How a person calls hubex from here."""
    folder = checkout()
    if folder is not None and (folder / "hubex").is_file():
        return "./hubex" if folder == Path.cwd() else quote(str(folder / "hubex"))
    return "hubex" if shutil.which("hubex") else sys.argv[0]


def _say(text: str) -> None:
    # Flushed: a step is told as it happens, also into a pipe.
    print(text, flush=True)


def _obey_signals() -> None:
    """Every way of ending is Ctrl-C's way. (asyncio ends tasks properly only under Python's own handler.)"""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup wants it
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
