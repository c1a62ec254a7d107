"""The recorder's counters, as /metrics shows them."""

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from router.observe.logs import EventLog
from router.observe.metrics import Counts
from router.observe.recorder import Recorder


def test_what_alerts_are_on_is_there_before_it_happens(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    log = EventLog(str(tmp_path / "log"))
    counts = Counts(registry)
    Recorder(log, counts, 0, "v")
    log.close()
    text = generate_latest(registry).decode()
    for series in (
        'hubex_messages_refused_total{code="500",vhost="v"}',
        'hubex_messages_retried_total{rung="hub.retry.60s",vhost="v"}',
        'hubex_messages_parked_total{reason="poison",vhost="v"}',
        'hubex_messages_parked_total{reason="unknown_key",vhost="v"}',
        'hubex_misrouted_copies_total{vhost="v"}',
        'hubex_unreported_total{vhost="v"}',
        'hubex_publishes_total{kind="forward",outcome="silent",vhost="v"}',
    ):
        assert f"\n{series} 0.0\n" in text, series
