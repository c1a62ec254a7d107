"""One story for each alert: series in promtool's notation, a sample a minute, and three moments of it: before the
alert, while it fires (once: series that stand beside must not), and after it has resolved."""

from typing import Final, NamedTuple


class Case(NamedTuple):
    """`series`: series -> values. The moments are minutes since the story's start; None where there is no such one.
    promtool evaluates groups in any order, so a moment keeps an evaluation's distance from the change before it."""

    alert: str
    series: dict[str, str]
    quiet: int | None
    fires: int
    resolved: int | None


HUB: Final = 'job="hubex",instance="hub-1:9419"'
VHOST: Final = f'{HUB},vhost="15-18"'
INBOX: Final = 'instance="node-1:15692",vhost="15-18",queue="fr.health.essai.in.message"'
OTHER: Final = INBOX.replace("essai", "autre")
THIRD: Final = INBOX.replace("essai", "tiers")
SHARD: Final = 'instance="node-1:15692",vhost="15-18",queue="dispatch.03"'
PARKED: Final = 'instance="node-1:15692",vhost="15-18",queue="hub.parked"'
READY: Final = "rabbitmq_detailed_queue_messages_ready"
CONSUMERS: Final = "rabbitmq_detailed_queue_consumers"
NODE: Final = 'job="rabbitmq",instance="node-1:15692"'
DEAD: Final = 'queue_type="rabbit_quorum_queue",dead_letter_strategy="at_least_once"'
GIB: Final = 1 << 30


def once(alert: str, counter: str, by: int = 1) -> Case:
    """A counter that is at 0, grows a single time after ten minutes, and is forgotten half an hour later."""
    return Case(alert, {counter: f"0x10 {by}x40"}, 9, 12, 40)


def level(alert: str, gauge: str, good: float, bad: float, minutes: int = 20) -> Case:
    """A gauge that is bad from the tenth minute on, for as long as `minutes`."""
    return Case(alert, {gauge: f"{good}x9 {bad}x{minutes - 1} {good}x60"}, 9, 10 + minutes - 1, 10 + minutes + 9)


def latency(alert: str, histogram: str) -> Case:
    """A hundred a minute under 10 ms; from the tenth minute on, for twenty, all of them take seconds."""
    return Case(
        alert,
        {
            f'{histogram}_bucket{{{VHOST},le="0.01"}}': "0+100x10 1000x20 1000+100x30",
            f'{histogram}_bucket{{{VHOST},le="5.0"}}': "0+100x61",
            f'{histogram}_bucket{{{VHOST},le="+Inf"}}': "0+100x61",
        },
        9,
        28,
        50,
    )


ROUTER: Final = (
    level("HubRouterDown", f"up{{{HUB}}}", 1, 0),
    level("HubNoActiveWorker", f"hubex_workers_ready{{{HUB}}}", 2, 0),
    Case(
        "HubWorkerMissing",
        {f"hubex_workers_ready{{{HUB}}}": "2x9 1x9 2x20", f"hubex_workers_wanted{{{HUB}}}": "2x60"},
        9, 18, 25,
    ),
    once("HubWorkerRestarts", f'hubex_worker_restarts_total{{{HUB},worker="0",cause="exit"}}', 5),
    level("HubEventLoopLate", f"hubex_loop_lag_seconds{{{HUB}}}", 0.01, 3),
    level("HubConnectionDown", f'hubex_connections{{{VHOST},role="publish",state="down"}}', 0, 2),
    level("HubConnectionBlocked", f'hubex_connections{{{VHOST},role="publish",state="blocked"}}', 0, 2),
    once("HubLogLinesLost", f"hubex_log_lines_lost_total{{{HUB}}}", 40),
    once("HubLogLinesLost", f"hubex_supervisor_log_lines_lost_total{{{HUB}}}"),
    Case("HubClockSkew", {f"hubex_clock_seconds{{{HUB}}}": "0+60x9 607+60x9 1200+60x20"}, 9, 18, 25),
)  # fmt: skip

MESSAGES: Final = (
    level("HubMessageParked", f"{READY}{{{PARKED}}}", 0, 1),
    Case("HubParkedGrows", {f"{READY}{{{PARKED}}}": "2x40 2+2x30 62x60"}, 39, 60, 125),
    once("HubPoison", f'hubex_messages_parked_total{{{VHOST},reason="poison"}}'),
    once("HubUnknownKey", f'hubex_messages_parked_total{{{VHOST},reason="unknown_key"}}'),
    Case("HubRetryLadder", {f'hubex_messages_retried_total{{{VHOST},rung="hub.retry.1s"}}': "0x10 1+1x10 11x30"},
         10, 20, 35),
    once("HubDeadLetters", f'hubex_messages_refused_total{{{VHOST},code="500"}}'),
    once("HubMisroutedCopies", f"hubex_misrouted_copies_total{{{VHOST}}}"),
    once("HubReportsUndeliverable", f"hubex_unreported_total{{{VHOST}}}"),
    Case(
        "HubRefusals",
        {
            f"hubex_messages_received_total{{{VHOST}}}": "0+10x80",
            f'hubex_messages_refused_total{{{VHOST},code="300"}}': "0x20 0+5x20 100x40",
        },
        19, 39, 60,
    ),
    latency("HubDeliverySlow", "hubex_delivery_seconds"),
    # The story begins at midnight of a Thursday (the epoch): nothing at night is nothing to tell.
    Case("HubNoTraffic", {f"hubex_messages_received_total{{{VHOST}}}": "5x510 6+1x60"}, 420, 500, 530),
)  # fmt: skip

QUEUES: Final = (
    level("HubShardWithoutConsumer", f"{CONSUMERS}{{{SHARD}}}", 1, 0),
    level("HubShardBacklog", f"{READY}{{{SHARD}}}", 3, 4000),
    # Beside it one that is read while messages wait, and one that nobody reads and nobody writes to.
    Case(
        "HubInboxWithoutConsumer",
        {
            f"{READY}{{{INBOX}}}": "0x9 2x30",
            f"{CONSUMERS}{{{INBOX}}}": "1x9 0x14 1x30",
            f"{READY}{{{OTHER}}}": "2x60",
            f"{CONSUMERS}{{{OTHER}}}": "1x60",
            f"{READY}{{{THIRD}}}": "0x60",
            f"{CONSUMERS}{{{THIRD}}}": "0x60",
        },
        9, 20, 26,
    ),
    # Beside it one that is read slowly but shrinks.
    Case(
        "HubInboxNotRead",
        {
            f"{READY}{{{INBOX}}}": "0x9 2x14 0x30",
            f"{CONSUMERS}{{{INBOX}}}": "1x60",
            f"{READY}{{{OTHER}}}": "9000-100x60",
            f"{CONSUMERS}{{{OTHER}}}": "1x60",
        },
        9, 22, 26,
    ),
    # Beside it one that was there half of the week only.
    Case(
        "HubClientGone",
        {f"{CONSUMERS}{{{INBOX}}}": "1x10079 0x30 1x30", f"{CONSUMERS}{{{OTHER}}}": "1x5000 0x5200"},
        10075, 10105, 10125,
    ),
    level("HubSuspectInboxes", f"hubex_suspect_inboxes{{{VHOST}}}", 0, 1),
    once("HubPublishesSilent", f'hubex_publishes_total{{{VHOST},kind="forward",outcome="silent"}}'),
    Case("HubPublishesNacked",
         {f'hubex_publishes_total{{{VHOST},kind="forward",outcome="nacked"}}': "0x10 1+1x10 11x30"},
         10, 20, 35),
    latency("HubConfirmsSlow", "hubex_confirm_seconds"),
)  # fmt: skip

BROKER: Final = (
    level("BrokerNodeDown", f"up{{{NODE}}}", 1, 0),
    level("BrokerDown", f"up{{{NODE}}}", 1, 0),
    Case(
        "BrokerQuorumAtRisk",
        {f"up{{{NODE}}}": "1x9 0x9 1x30"} | {f'up{{job="rabbitmq",instance="node-{n}:15692"}}': "1x60" for n in (2, 3)},
        9, 17, 22,
    ),
    Case(
        "BrokerNodesApart",
        {f'up{{job="rabbitmq",instance="node-{n}:15692"}}': "1x60" for n in (1, 2, 3)}
        | {f'erlang_vm_dist_node_state{{{NODE},peer="node-{n}"}}': v for n, v in ((2, "3x60"), (3, "3x9 1x14 3x30"))},
        9, 22, 26,
    ),
    level("BrokerMemoryAlarm", f"rabbitmq_alarms_memory_used_watermark{{{NODE}}}", 0, 1),
    level("BrokerDiskAlarm", f"rabbitmq_alarms_free_disk_space_watermark{{{NODE}}}", 0, 1),
    Case(
        "BrokerDiskLow",
        {
            f"rabbitmq_disk_space_available_bytes{{{NODE}}}": f"{90 * GIB}x9 {3 * GIB}x14 {90 * GIB}x30",
            f"rabbitmq_disk_space_available_limit_bytes{{{NODE}}}": f"{2 * GIB}x60",
        },
        9, 22, 26,
    ),
    Case(
        "BrokerDiskFills",
        {
            f"rabbitmq_disk_space_available_bytes{{{NODE}}}":
                f"{90 * GIB}x30 {90 * GIB}-{GIB // 10}x150 {90 * GIB}x400",
            f"rabbitmq_disk_space_available_limit_bytes{{{NODE}}}": f"{2 * GIB}x600",
        },
        29, 180, 560,
    ),
    Case(
        "BrokerFileDescriptors",
        {f"rabbitmq_process_open_fds{{{NODE}}}": "100x9 900x14 100x30",
         f"rabbitmq_process_max_fds{{{NODE}}}": "1024x60"},
        9, 22, 26,
    ),
    Case(
        "BrokerDeadLettersStuck",
        {
            f"rabbitmq_global_messages_dead_lettered_expired_total{{{NODE},{DEAD}}}": "0x9 4x60",
            f"rabbitmq_global_messages_dead_lettered_confirmed_total{{{NODE},{DEAD}}}": "0x29 4x60",
        },
        9, 28, 32,
    ),
    once("BrokerMessagesDropped", f'rabbitmq_global_messages_unroutable_dropped_total{{{NODE},protocol="amqp091"}}'),
)  # fmt: skip

MONITORING: Final = (
    Case("Watchdog", {}, None, 5, None),
    level("ScrapeDown", 'up{job="rabbitmq-queues",instance="node-1:15692"}', 1, 0),
    Case("NotificationsFail", {'alertmanager_notifications_failed_total{integration="email"}': "0x10 1+1x10 11x40"},
         10, 20, 45),
)  # fmt: skip

CASES: Final = {
    "router": ROUTER, "messages": MESSAGES, "queues": QUEUES, "broker": BROKER, "monitoring": MONITORING,
}  # fmt: skip
"""Stem of the file in deploy/prometheus/alerts -> the stories of its alerts."""
