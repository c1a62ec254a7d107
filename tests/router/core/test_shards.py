"""Placement: stable, written down, and never changed as a by-effect."""

import pytest

from router.core.shards import TopologyVersion, place, shard_number, shard_of, shard_queue

IDS = tuple(f"fr.health.hub.samu{n:03d}" for n in range(400))
NOTHING: dict[str, frozenset[int]] = {}


def test_the_hash_is_a_fact_of_the_wire() -> None:
    """These values are in the topology files of running hubs: when this test fails, the code is wrong."""
    assert [shard_of(client_id, 8) for client_id in ("fr.health.hub.samu050", "fr.fire.nexsis.sdis-50", "a")] == [
        4,
        2,
        6,
    ]


def test_more_shards_move_clients_to_new_shards_only() -> None:
    moved = 0
    for client_id in IDS:
        before, after = shard_of(client_id, 8), shard_of(client_id, 12)
        assert after == before or after >= 8
        moved += after != before
    assert 0.2 * len(IDS) < moved < 0.47 * len(IDS)  # a third of them, by expectation


def test_shards_are_filled_evenly() -> None:
    counts = [sum(shard_of(client_id, 8) == shard for client_id in IDS) for shard in range(8)]
    assert min(counts) > 25 and max(counts) < 80  # 50 by expectation


@pytest.mark.parametrize("shards", [0, -1, 101])
def test_a_number_of_shards_out_of_range_is_refused(shards: int) -> None:
    with pytest.raises(ValueError, match="allowed are 1 to 100"):
        shard_of("a", shards)


def test_current_and_previous_placement_are_owned_and_nothing_else() -> None:
    version = TopologyVersion(2, 8, {"a": 1}, {"a": 5, "gone": 3})
    assert version.owns("a", 1) and version.owns("a", 5) and not version.owns("a", 2)
    assert version.owns("gone", 3)


def test_a_client_not_written_down_is_where_apply_will_put_it() -> None:
    version = TopologyVersion(1, 8, {})
    best = shard_of("new", 8)
    assert version.shard("new") == best and version.owns("new", best) and not version.owns("new", (best + 1) % 8)


def test_the_version_counts_changes_only_and_keeps_the_one_before() -> None:
    first = TopologyVersion(1, 8, {"a": 1})
    assert first.followed_by(8, {"a": 1}) is first
    assert first.followed_by(8, {"a": 1, "b": 2}) == TopologyVersion(2, 8, {"a": 1, "b": 2}, {"a": 1})
    assert first.followed_by(9, {"a": 1}).version == 2


def test_a_new_client_is_placed_by_the_hash() -> None:
    assert place(("a",), 8, {}, NOTHING) == {"a": shard_of("a", 8)}


def test_a_recorded_client_stays_though_the_hash_would_move_it() -> None:
    mover = next(client_id for client_id in IDS if shard_of(client_id, 12) != shard_of(client_id, 8))
    assert place((mover,), 12, {mover: shard_of(mover, 8)}, NOTHING) == {mover: shard_of(mover, 8)}


def test_where_the_broker_sends_a_client_wins_over_a_lost_or_wrong_record() -> None:
    assert place(("a",), 8, {}, {"a": frozenset({3})}) == {"a": 3}
    assert place(("a",), 8, {"a": 4}, {"a": frozenset({3})}) == {"a": 3}


def test_of_several_bound_shards_the_recorded_one_stays() -> None:
    both = {"a": frozenset({2, 3})}
    assert place(("a",), 8, {"a": 3}, both) == {"a": 3}
    assert place(("a",), 8, {}, both)["a"] in (2, 3)


def test_a_shards_number_is_read_back_from_its_queue() -> None:
    assert [shard_number(shard_queue(shard)) for shard in (0, 7, 99)] == [0, 7, 99]
    for other in ("dispatch.unknown", "dispatch.", "hub.parked", "07", "dispatch.-1"):
        assert shard_number(other) is None
