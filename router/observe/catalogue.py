"""Every metric of the hub, once: the prometheus objects and the README's table are both made from this table.

Law: names carry their unit; a label's values come from the code, the configuration or the packs, never from a
message, so that no input can make a series.
"""

from enum import StrEnum
from typing import Final, Literal

from msgspec import Struct


class Kind(StrEnum):
    """The types of Prometheus that the hub uses."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Home(StrEnum):
    """Who counts: a worker (added up over the workers) or the supervisor."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"


class Metric(Struct, frozen=True):
    """One metric. `merge` says how the gauges of several live workers become one value."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    home: Home = Home.WORKER
    merge: Literal["livesum", "livemax"] = "livesum"


LATENCY_BOUNDS_SECONDS: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
"""Upper bounds of every latency histogram's buckets; one more takes what is slower."""

_C, _G, _H, _SUPERVISOR = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM, Home.SUPERVISOR

METRICS: Final = (
    # Inputs: each delivery that a worker decides is received once and ends in one of the following.
    Metric("hubex_messages_received_total", _C, ("vhost",), "Deliveries taken, a retried one each time anew"),
    Metric("hubex_messages_forwarded_total", _C, ("vhost",), "Messages confirmed into an inbox"),
    Metric("hubex_messages_refused_total", _C, ("vhost", "code"), "Messages answered with an error report"),
    Metric("hubex_messages_retried_total", _C, ("vhost", "rung"), "Inputs sent up the retry ladder"),
    Metric("hubex_messages_parked_total", _C, ("vhost", "reason"), "Inputs parked"),
    Metric("hubex_messages_discarded_total", _C, ("vhost", "reason"), "Inputs settled without an output"),
    Metric("hubex_messages_expired_total", _C, ("vhost",), "Parked messages that reached their end"),
    Metric("hubex_misrouted_copies_total", _C, ("vhost",), "BCC copies, found in a shard not their key's"),
    Metric("hubex_possible_duplicates_total", _C, ("vhost",), "Outputs marked possible duplicate"),
    Metric("hubex_messages_converted_total", _C, ("vhost", "to"), "Messages forwarded in the other format (json, xml)"),
    Metric(
        "hubex_nomenclature_warnings_total", _C, ("vhost", "field", "list"),
        "Codes outside their nomenclature in forwarded messages, which are no fault",
    ),
    Metric("hubex_unreported_total", _C, ("vhost",), "Error reports with nobody left to go to"),
    # Outputs.
    Metric(
        "hubex_publishes_total", _C, ("vhost", "kind", "outcome"),
        "Publishes by what they were (forward, trial, report, parked_report, retry, park) and what"
        " became of them (confirmed, returned, nacked, silent, lost, stopping)",
    ),
    Metric("hubex_delivery_seconds", _H, ("vhost",), "From the delivery to the last confirm of its outputs"),
    Metric("hubex_confirm_seconds", _H, ("vhost",), "From a publish to its confirm"),
    # What is held.
    Metric("hubex_unsettled_inputs", _G, ("vhost",), "Deliveries taken and not yet settled"),
    Metric("hubex_unconfirmed_outputs", _G, ("vhost",), "Publishes not yet confirmed"),
    Metric("hubex_undecided_bytes", _G, ("vhost",), "Bytes read from the broker and not yet decided"),
    Metric("hubex_suspect_inboxes", _G, ("vhost",), "Inboxes whose confirms failed to come"),
    # Connections.
    Metric(
        "hubex_connections", _G, ("vhost", "role", "state"),
        "Connections by role (consume, publish) and state (open, blocked, down)",
    ),
    Metric("hubex_connection_failures_total", _C, ("vhost", "role"), "Connections lost while in use"),
    Metric("hubex_blocked_seconds_total", _C, ("vhost",), "Time a publishing connection was blocked"),
    # The workers themselves.
    Metric("hubex_loop_lag_seconds", _G, (), "Lateness of the latest event loop", merge="livemax"),
    Metric("hubex_log_lines_lost_total", _C, (), "Log lines that a worker could not write"),
    Metric("hubex_workers_wanted", _G, (), "Workers configured", _SUPERVISOR),
    Metric("hubex_workers_live", _G, (), "Workers running whose event loop beats", _SUPERVISOR),
    Metric("hubex_workers_ready", _G, (), "Workers that report ready", _SUPERVISOR),
    Metric(
        "hubex_worker_restarts_total", _C, ("worker", "cause"),
        "Restarts by cause (exit, signal, hang)", _SUPERVISOR,
    ),
    Metric("hubex_heartbeat_age_seconds", _G, ("worker",), "Time since the last heartbeat", _SUPERVISOR),
    Metric("hubex_resident_bytes", _G, ("process",), "Resident memory of each process", _SUPERVISOR),
    Metric("hubex_cpu_seconds_total", _C, ("process",), "User and system time of each process", _SUPERVISOR),
    Metric(
        "hubex_clock_seconds", _G, (),
        "The machine's clock, seconds since 1970; Prometheus tells how far off it is", _SUPERVISOR,
    ),
    Metric("hubex_supervisor_log_lines_lost_total", _C, (), "Log lines the supervisor lost", _SUPERVISOR),
    Metric("hubex_build_info", _G, ("version",), "1, labelled with the hub's version", _SUPERVISOR),
)  # fmt: skip

BY_NAME: Final = {metric.name: metric for metric in METRICS}


def readme_table() -> str:
    """The metrics as a Markdown table, for the README."""
    rows = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for metric in METRICS:
        labels = ", ".join(metric.labels) or "none"
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(readme_table(), end="")
