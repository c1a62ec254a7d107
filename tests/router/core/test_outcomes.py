"""The outcome table: no empty cell, and what the law says of each column. (session/test_flow walks each cell.)"""

from itertools import product

import pytest

from router.core.outcomes import TABLE, Kind, Outcome, Step

OF_THE_INPUT = (Kind.RETRY, Kind.PARK)


def test_no_cell_is_empty() -> None:
    assert set(TABLE) == set(product(Kind, Outcome))
    assert all(isinstance(step, Step) for step in TABLE.values())


@pytest.mark.parametrize("kind", Kind)
def test_only_a_confirm_is_done_but_for_reports_that_nobody_can_get(kind: Kind) -> None:
    assert TABLE[kind, Outcome.CONFIRMED] is Step.DONE
    for outcome in set(Outcome) - {Outcome.CONFIRMED}:
        step = TABLE[kind, outcome]
        assert step is not Step.DONE
        if step is Step.DONE_UNREPORTED:
            assert kind in (Kind.REPORT, Kind.PARKED_REPORT) and outcome in (Outcome.RETURNED, Outcome.NACKED)


@pytest.mark.parametrize("kind", Kind)
def test_a_stop_leaves_the_input_to_the_broker(kind: Kind) -> None:
    assert TABLE[kind, Outcome.STOPPING] is Step.LEAVE


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.TRIAL])
def test_a_lost_connection_leaves_the_input_to_the_broker(kind: Kind) -> None:
    assert TABLE[kind, Outcome.LOST] is Step.LEAVE


def test_a_trial_that_is_silent_or_lost_counts_as_nacked() -> None:
    """DELIVERY.md 4: a suspect inbox's outputs count as nacked; its connection is not the data path's."""
    for outcome in (Outcome.SILENT, Outcome.LOST, Outcome.NACKED):
        assert TABLE[Kind.TRIAL, outcome] is Step.CLIMB


def test_a_returned_message_is_refused_501_and_a_nacked_one_climbs() -> None:
    for kind in (Kind.FORWARD, Kind.TRIAL):
        assert TABLE[kind, Outcome.RETURNED] is Step.REFUSE
        assert TABLE[kind, Outcome.NACKED] is Step.CLIMB


@pytest.mark.parametrize("kind", (Kind.FORWARD, Kind.REPORT, Kind.PARKED_REPORT))
def test_a_silent_inbox_becomes_suspect(kind: Kind) -> None:
    assert TABLE[kind, Outcome.SILENT] is Step.SUSPECT


@pytest.mark.parametrize("kind", OF_THE_INPUT)
@pytest.mark.parametrize("outcome", (Outcome.SILENT, Outcome.RETURNED))
def test_a_silent_or_missing_ladder_is_the_brokers_trouble(kind: Kind, outcome: Outcome) -> None:
    assert TABLE[kind, outcome] is Step.TROUBLE


def test_a_full_ladder_parks_and_a_full_parking_queue_is_trouble() -> None:
    assert TABLE[Kind.RETRY, Outcome.NACKED] is Step.PARK
    assert TABLE[Kind.PARK, Outcome.NACKED] is Step.TROUBLE
