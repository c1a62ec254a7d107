"""`hubex bench`: loads on a private broker, and what they say about the hub."""

from typing import Annotated

import typer

from router.cli.bench_ground import (
    DEFAULT_RESULTS,
    Clients,
    Cluster,
    Mix,
    Prefetch,
    Rate,
    Results,
    Seed,
    Shards,
    Workers,
    checked_mix,
    measure,
)
from router.cli.bench_series import compare, soak, sweep
from router.cli.fail import fail

DEFAULT_MESSAGES, DRAIN_ROUNDS = 50_000, 5

Messages = Annotated[int, typer.Option(min=0, max=2_000_000, help="Messages measured in each round; 0: 50000.")]
Seconds = Annotated[float, typer.Option(min=0, max=86_400, help="Measured time of a load, instead of a number.")]
Prefill = Annotated[bool, typer.Option("--prefill", help="Fill the shards first, then drain them, without a load.")]
Rounds = Annotated[int, typer.Option(min=0, max=50, help="Rounds, each with every forwarder; 0: 5 drains or 1 load.")]
InvalidShare = Annotated[float, typer.Option(min=0, max=1, help="Share of the messages that must be refused.")]
XmlShare = Annotated[float, typer.Option(min=0, max=1, help="Share of the clients that read XML.")]
RunUp = Annotated[int, typer.Option(min=-1, help="Messages before the measure begins; -1: a tenth.")]
Against = Annotated[
    str,
    typer.Option(
        help="shovel (inside the node: the fastest), shovel-tcp (AMQP on loopback), both, or none; "
        "if not given, both for a drain and none for a load."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the command group `bench` to `app`."""
    group = typer.Typer(no_args_is_help=True, help="Measure the hub on a private broker on this machine.")
    for command in (run, compare, sweep, soak):
        group.command(command.__name__)(command)
    app.add_typer(group, name="bench")


def run(
    messages: Messages = 0,
    seconds: Seconds = 0.0,
    rate: Rate = 0.0,
    prefill: Prefill = False,
    rounds: Rounds = 0,
    clients: Clients = 50,
    workers: Workers = 0,
    shards: Shards = 8,
    prefetch: Prefetch = 256,
    seed: Seed = 1,
    mix: Mix = "rc-eda",
    invalid_share: InvalidShare = 0.0,
    xml_share: XmlShare = 0.0,
    run_up: RunUp = -1,
    against: Against = "",
    results: Results = DEFAULT_RESULTS,
    cluster: Cluster = "",
) -> None:
    """Put a load on the hub and measure how long messages take; or, with --prefill, drain a backlog by the
    router and by the broker's shovel in turns. Judge every message.

    Start-up is outside the measure. Exit code 1 when a message was lost, came twice without a mark, or out
    of order.
    """
    # Only this command pays for what a bench needs.
    from bench.results import ROUTER, SHOVEL, SHOVEL_TCP, Options

    known = {"shovel": (SHOVEL,), "shovel-tcp": (SHOVEL_TCP,), "both": (SHOVEL, SHOVEL_TCP), "none": ()}
    against = against or ("both" if prefill and not (invalid_share or xml_share) else "none")
    if against not in known:
        fail(f"bench run: --against is one of {', '.join(known)}, not {against!r}")
    if prefill and (rate or seconds):
        fail("bench run: a drain has no --rate and no --seconds: it takes what it takes")
    if seconds and (messages or run_up >= 0):
        fail("bench run: give --seconds or a number of messages, not both")
    if (invalid_share or xml_share) and known[against]:
        fail("bench run: only the router refuses and converts: with --invalid-share or --xml-share say --against none")
    messages = messages or (0 if seconds else DEFAULT_MESSAGES)
    options = Options(
        messages=messages,
        run_up=messages // 10 if run_up < 0 else run_up,
        rounds=rounds or (DRAIN_ROUNDS if prefill else 1),
        clients=clients,
        workers=workers,
        shards=shards,
        prefetch=prefetch,
        seed=seed,
        mix=checked_mix("run", mix),
        forwarders=(ROUTER, *known[against]),
        live=not prefill,
        seconds=seconds,
        rate=rate,
        invalid_share=invalid_share,
        xml_share=xml_share,
    )
    measure("run", options, cluster, results)
