"""What a bench found, to be read: tables, the lines below them, and the page with the latencies.

Law: no rate stands without its losses, no median without its spread, and nothing without its machine.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from bench.latency import PERCENTILES, by_name
from bench.plot import page
from bench.results import FORWARDERS, MIB, ROUTER, Options, Result, Round

HEADING: Final = (
    "round", "forwarder", "msg/s", "seconds", "CPU µs/msg", "broker µs/msg", "lost", "dup unmarked", "dup marked",
    "disorder", "RSS MiB/worker",
)  # fmt: skip
LATENCY_HEADING: Final = ("round", "ms", "count", "mean", *(f"p{at:g}" for at in PERCENTILES), "max")


def row(each: Round) -> tuple[str, ...]:
    """One round as cells."""
    verdict = each.verdict
    rss = "/".join(f"{size / MIB:.0f}" for size in each.workers_rss_bytes) or "-"
    return (
        str(each.number),
        each.forwarder,
        f"{each.rate:.0f}",
        f"{each.seconds:.2f}",
        f"{each.cpu_us:.1f}" if each.cpu_seconds else "-",
        f"{each.broker_cpu_us:.1f}",
        *(str(n) for n in (verdict.lost, verdict.unmarked_duplicates, verdict.marked_duplicates, verdict.disorder)),
        rss,
    )


def table(rows: Sequence[Sequence[str]], heading: Sequence[str] = HEADING) -> str:
    """Rows under their heading, right-aligned."""
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    lines = (
        "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) for cells in (heading, *rows)
    )
    return "\n".join(lines)


def _amount(options: Options) -> str:
    amount = f"{options.seconds:g} s" if options.seconds else f"{options.messages} messages"
    if not options.live:
        return f"a backlog of {amount}"
    return f"{amount} at {options.rate:g} msg/s" if options.rate else f"{amount} as fast as confirms come"


def latency_rows(rounds: Iterable[Round]) -> list[tuple[str, ...]]:
    """The latencies of all rounds as cells, under `LATENCY_HEADING`; milliseconds."""
    return [
        (
            str(each.number),
            f"{each.forwarder} {name}",
            str(of_name.count),
            *(f"{value:.2f}" for value in (of_name.mean_ms, *of_name.percentiles_ms.values(), of_name.highest_ms)),
        )
        for each in rounds
        for name, of_name in each.latencies.items()
    ]


def summary(result: Result) -> Iterable[str]:
    """The lines below the table."""
    machine, options = result.machine, result.options
    yield (
        f"machine: {machine.cpu_model}, {machine.cores} cores, {machine.memory_bytes / MIB / 1024:.1f} GiB, Linux "
        f"{machine.kernel}, load before {result.load_before:.2f}"
    )
    yield (
        f"versions: Python {machine.python}, "
        + ", ".join(f"{name} {version}" for name, version in {**machine.broker, **machine.packages}.items())
    )
    yield (
        f"load: {_amount(options)} of {options.clients} clients, mix {options.mix}, "
        f"{result.body_bytes_mean:.0f} bytes on average, {options.invalid_share:.0%} invalid, "
        f"{options.xml_share:.0%} of the clients read XML, {options.shards} shards, prefetch {options.prefetch}, "
        f"run-up {options.run_up}, seed {options.seed}"
    )
    for forwarder in FORWARDERS:
        if result.of(forwarder):
            rates = result.spread(forwarder, lambda each: each.rate)
            yield f"{forwarder}: median {rates.median:.0f} msg/s ({rates.lowest:.0f}–{rates.highest:.0f})"
    if result.of(ROUTER):
        cpu = result.spread(ROUTER, lambda each: each.cpu_us)
        yield f"router CPU: median {cpu.median:.1f} µs/message ({cpu.lowest:.1f}–{cpu.highest:.1f})"
        yardstick = result.spread(ROUTER, lambda each: each.yardstick_us)
        ratio = result.spread(ROUTER, lambda each: each.cpu_us / each.yardstick_us)
        yield (
            f"yardstick: one orjson.loads of a body took {yardstick.median:.1f} µs of CPU "
            f"({yardstick.lowest:.1f}–{yardstick.highest:.1f}); router CPU is {ratio} of it"
        )
    for forwarder in FORWARDERS[1:]:
        if result.of(ROUTER) and result.of(forwarder):
            yield f"router / {forwarder}: {result.ratio(forwarder)}"
    if result.rivals_faults:
        yield f"rivals: {'; '.join(result.rivals_faults)}"
    yield "kept: nothing lost, unmarked or out of order" if not result.faults else f"BROKEN: {'; '.join(result.faults)}"


def write_plot(result: Result, path: Path) -> Path | None:
    """The latencies of all rounds as a page beside the result; None when it has none. Raises OSError."""
    latencies = by_name((each.forwarder, each.latencies) for each in result.rounds)
    if not latencies:
        return None
    page_file = path.with_suffix(".html")
    page_file.write_text(page(f"hubex bench {result.command}, {result.started}", latencies, summary(result)), "utf-8")
    return page_file
