"""The sum of the limits and the disk (DELIVERY.md 7)."""

from pathlib import Path

from router.settings.config import Config
from router.topology.budget import budget_faults, own_max_bytes
from router.topology.objects import Actual, ActualQueue, ActualVhost
from tests.router.topology.support import config_in

MIB = 1 << 20
LIMITS = {
    "shards": 4,
    "shard_max_bytes": 100 * MIB,
    "rung_max_bytes": 10 * MIB,
    "dead_max_bytes": 5 * MIB,
    "parked_max_bytes": 20 * MIB,
    "unknown_max_bytes": 4 * MIB,
    "inbox_max_bytes": 300 * MIB,
}
ONE_VHOST = (4 * 100 + 3 * 10 + 3 * 5 + 20 + 4 + 1) * MIB


def refusals(config: Config, free: int | None, *queues: ActualQueue) -> list[str]:
    actual = Actual({"v": ActualVhost("v", queues=queues)}, {}, disk_free_bytes=free)
    return [fault.path for fault in budget_faults(config, actual)]


def test_all_of_the_hubs_own_queues_of_all_vhosts_count(tmp_path: Path) -> None:
    assert own_max_bytes(config_in(tmp_path, "v", **LIMITS)) == ONE_VHOST
    assert own_max_bytes(config_in(tmp_path, "v", "w", **LIMITS)) == 2 * ONE_VHOST


def test_they_fit_in_half_of_the_free_disk_or_are_refused(tmp_path: Path) -> None:
    config = config_in(tmp_path, **LIMITS)
    assert refusals(config, 2 * ONE_VHOST) == []
    assert refusals(config, 2 * ONE_VHOST - 2) == ["topology"]


def test_what_already_lies_in_them_counts_as_free(tmp_path: Path) -> None:
    config = config_in(tmp_path, **LIMITS)
    stored = ActualQueue("dispatch.00", message_bytes=90 * MIB), ActualQueue("hub.parked", message_bytes=10 * MIB)
    inbox = ActualQueue("fr.x.message", message_bytes=1000 * MIB)
    assert refusals(config, 2 * ONE_VHOST - 100 * MIB, *stored) == []
    assert refusals(config, 2 * ONE_VHOST - 100 * MIB, inbox, ActualQueue("hub.probe")) == ["topology"]


def test_one_full_inbox_fits_too_though_all_together_need_not(tmp_path: Path) -> None:
    config = config_in(tmp_path, **{**LIMITS, "inbox_max_bytes": 500 * MIB})
    assert refusals(config, 1000 * MIB) == []
    assert refusals(config, 999 * MIB) == ["topology.inbox_max_bytes"]


def test_a_budget_of_ones_own_wins_over_the_disk(tmp_path: Path) -> None:
    assert refusals(config_in(tmp_path, **LIMITS, disk_budget_bytes=ONE_VHOST), None) == []
    assert refusals(config_in(tmp_path, **LIMITS, disk_budget_bytes=ONE_VHOST - 1), 1 << 50) == ["topology"]


def test_a_broker_that_does_not_know_its_disk_is_refused(tmp_path: Path) -> None:
    (fault,) = budget_faults(config_in(tmp_path), Actual({}, {}))
    assert "disk_budget_bytes" in fault.allowed
