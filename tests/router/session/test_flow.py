"""The data path without a loop: what is decided is written, what is confirmed is settled, and nothing else."""

from typing import Any

import pytest

from router.core import decide as decide_module
from router.core import names, outputs
from router.core.delivery import Role
from router.core.outcomes import TABLE, Kind, Outcome, Step
from router.core.outputs import Output
from router.core.refusals import cause
from router.lane.inbound import Blocked, Confirm
from router.session.flow import SLICE_DELIVERIES
from router.session.pair import State
from tests.router.core.making import SAMU, SAMU2, SDIS, SHARDS, XML, EasyPack, body, rules, when
from tests.router.session.stage import KEY, SHARD, Stage, identifiers, message
from validators import Fault

INBOX = SDIS.inboxes[0]
INFO = SAMU.inbox("info")


@pytest.fixture
def stage() -> Stage:
    made = Stage()
    made.pair()
    return made


# ---- one message ---------------------------------------------------------------------------------


def test_a_message_is_published_and_acknowledged_once_it_is_confirmed(stage: Stage) -> None:
    payload = message("a")
    stage.deliver(stage.pairs[0], payload)
    (publish,) = stage.published
    assert (publish.exchange, publish.key, publish.body) == (names.INBOX_EXCHANGE, INBOX, payload)
    assert publish.mandatory and publish.number == 1 and not publish.marked
    assert stage.acked == []
    stage.now += 0.25
    stage.confirm(1)
    assert stage.acked == [(1, 1, True)]
    ((delivery, latency),) = stage.settlements
    assert delivery.tag == 1 and latency == 0.25
    assert stage.outcomes == [(Kind.FORWARD, Outcome.CONFIRMED, 0.25)]


def test_a_batch_of_input_is_one_write_each_way(stage: Stage) -> None:
    stage.deliver(stage.pairs[0], *(message(str(at)) for at in range(10)))
    assert [what for what, _ in stage.writes] == ["publish"]
    stage.confirm(10, multiple=True)
    assert [what for what, _ in stage.writes] == ["publish", "ack"]
    assert stage.acked == [(1, 10, True)]


def test_publishes_are_numbered_as_they_are_written_in_the_order_of_the_input(stage: Stage) -> None:
    other = stage.pair(SHARDS[SDIS.id])
    for at in range(5):
        stage.deliver(stage.pairs[0], message(f"a{at}"), message(f"b{at}", dateTimeExpires=when(-1)))
        stage.deliver(other, body(SDIS, SAMU, distributionID=f"x_{at}"), key=SDIS.publish_keys[0])
    for pair in (stage.pairs[0], other):
        mine = [publish for publish in stage.published if publish.channel == pair.publish_number]
        assert [publish.number for publish in mine] == list(range(1, len(mine) + 1))
    mine = [publish for publish in stage.published if publish.channel == 1]
    assert identifiers(mine) == [name for at in range(5) for name in (f"a{at}", f"b{at}")]


def test_a_large_body_is_written_whole_in_frames_that_fit(stage: Stage) -> None:
    stage.flow.max_frame_bytes = 4096
    payload = message("a" + "x" * 20_000)
    stage.deliver(stage.pairs[0], payload)
    assert stage.last.body == payload


# ---- cumulative acknowledgements -----------------------------------------------------------------


def test_acknowledgements_say_the_contiguous_settled_prefix(stage: Stage) -> None:
    stage.deliver(stage.pairs[0], *(message(str(at)) for at in range(6)))
    stage.confirm(2)
    stage.confirm(3)
    assert stage.acked == []
    stage.confirm(1)
    assert stage.acked == [(1, 3, True)]
    stage.confirm(5)
    assert stage.acked == [(1, 3, True)]
    stage.confirm(6, multiple=True)
    assert stage.acked == [(1, 3, True), (1, 6, True)]


def test_each_pair_is_acknowledged_on_its_own_channel(stage: Stage) -> None:
    other = stage.pair(SHARDS[SDIS.id])
    stage.deliver(stage.pairs[0], message("a"))
    stage.deliver(other, body(SDIS, SAMU), key=SDIS.publish_keys[0])
    stage.flow.published([Confirm(2, 1, False, True), Confirm(1, 1, False, True)])
    assert sorted(stage.acked) == [(1, 1, True), (2, 1, True)]
    assert [what for what, _ in stage.writes].count("ack") == 1


def test_what_needs_no_output_is_settled_at_once_but_not_past_what_is_open(stage: Stage) -> None:
    pair = stage.pairs[0]
    misrouted = {"key": SAMU2.publish_keys[0]}
    assert SHARDS[SAMU2.id] != SHARD
    stage.deliver(pair, body(SAMU2, SDIS), **misrouted)
    assert stage.published == [] and stage.acked == [(1, 1, True)]
    stage.flow.consumed([stage.content(pair, message("a")), stage.content(pair, body(SAMU2, SDIS), **misrouted)])
    assert stage.acked == [(1, 1, True)]
    stage.confirm(1)
    assert stage.acked == [(1, 1, True), (1, 3, True)]


# ---- refusals, returns ---------------------------------------------------------------------------


def test_a_refused_message_is_settled_by_its_reports_confirm(stage: Stage) -> None:
    stage.deliver(stage.pairs[0], message("a", dateTimeExpires=when(-1)))
    (report,) = stage.published
    assert (report.kind, report.key, report.code) == ("report", INFO, 400)
    assert report.error["referencedDistributionID"] == f"{SAMU.id}_a"
    assert stage.acked == []
    stage.confirm(1)
    assert stage.acked == [(1, 1, True)]


def test_a_returned_message_becomes_a_501_report_and_is_not_acknowledged_before_that_is_confirmed(stage: Stage) -> None:
    stage.deliver(stage.pairs[0], message("a", recipient="fr.health.nowhere"))
    stage.give_back(stage.last)
    assert stage.kinds == ["forward", "report"] and stage.acked == []
    assert (stage.last.key, stage.last.code) == (INFO, 501)
    assert stage.last.error["errorCause"] == cause("no_inbox", queue="fr.health.nowhere.in.message")
    stage.confirm(2)
    assert stage.acked == [(1, 1, True)]


def test_27_two_messages_with_one_message_id_are_never_mixed_up(stage: Stage) -> None:
    """One delivered, one 501: the return is matched by the publish number alone."""
    pair = stage.pairs[0]
    stage.flow.consumed(
        [
            stage.content(pair, message("there"), message_id="the-same"),
            stage.content(pair, message("nowhere", recipient="fr.health.nowhere"), message_id="the-same"),
        ]
    )
    there, nowhere = stage.published
    assert there.properties.message_id == nowhere.properties.message_id == "the-same"
    stage.flow.published([stage.return_of(nowhere), Confirm(1, 2, True, True)])
    assert identifiers(stage.published) == ["there", "nowhere", "nowhere"]
    assert (stage.last.code, stage.last.about) == (501, f"{SAMU.id}_nowhere")
    assert stage.acked == [(1, 1, True)]
    stage.confirm(3)
    assert stage.acked == [(1, 1, True), (1, 2, True)]
    assert stage.failures == []


def test_many_returns_before_one_confirm_are_each_told_apart(stage: Stage) -> None:
    recipients = [SDIS.id if at % 3 else "fr.health.nowhere" for at in range(12)]
    stage.deliver(stage.pairs[0], *(message(str(at), recipient=name) for at, name in enumerate(recipients)))
    lost = [publish for publish in stage.published if "nowhere" in publish.key]
    stage.flow.published([*(stage.return_of(publish) for publish in lost), Confirm(1, 12, True, True)])
    reports = [publish for publish in stage.published if publish.kind == "report"]
    assert identifiers(reports) == ["0", "3", "6", "9"]


@pytest.mark.parametrize(
    "events",
    (
        [Confirm(1, 2, False, True)],
        [Confirm(1, 0, True, True)],
        [Confirm(1, 1, False, True), Confirm(1, 1, False, True)],
    ),
)
def test_confirms_that_do_not_add_up_end_the_connection(stage: Stage, events: list[Any]) -> None:
    stage.deliver(stage.pairs[0], message("a"))
    stage.flow.published(events)
    assert len(stage.failures) == 1


def test_a_return_without_a_number_ends_the_connection(stage: Stage) -> None:
    stage.deliver(stage.pairs[0], message("a"))
    stage.flow.published([stage.return_of(stage.last)._replace(raw_properties=b"\x00\x00")])
    assert len(stage.failures) == 1 and stage.acked == []


# ---- the ladder and parking ----------------------------------------------------------------------


def test_a_doubted_nack_leaves_the_input_to_the_broker(stage: Stage) -> None:
    stage.doubting = True
    stage.deliver(stage.pairs[0], message("a"), message("b"))
    stage.confirm(1, stored=False)
    assert stage.doubted == [(names.INBOX_EXCHANGE, INBOX)]
    assert stage.outcomes[-1][:2] == (Kind.FORWARD, Outcome.LOST)
    stage.confirm(2)
    assert stage.kinds == ["forward", "forward"] and stage.acked == []
    assert stage.pairs[0].confirmed == {(names.INBOX_EXCHANGE, INBOX)}


def test_a_nacked_message_climbs_as_it_came_and_is_acknowledged_once_it_is_there(stage: Stage) -> None:
    payload = message("a")
    stage.flow.consumed([stage.content(stage.pairs[0], payload, headers={"own": 1}, correlation_id="c")])
    stage.confirm(1, stored=False)
    climbed = stage.last
    assert (climbed.kind, climbed.exchange, climbed.key) == ("retry", "hub.retry.1s", f"dispatch.{SHARD:02d}")
    assert climbed.body == payload and climbed.headers["own"] == 1 and climbed.properties.correlation_id == "c"
    assert (climbed.headers["x-hub-attempt"], climbed.headers["x-hub-key"]) == (1, KEY)
    assert climbed.headers["x-hub-history"].endswith(" publish_nacked;")
    assert stage.acked == []
    stage.confirm(2)
    assert stage.acked == [(1, 1, True)]


def test_up_the_whole_ladder_and_parked_after_the_last_rung(stage: Stage) -> None:
    pair = stage.pairs[0]
    stage.deliver(pair, message("a"))
    for attempt, rung in enumerate(names.RUNGS, start=1):
        stage.confirm(stage.last.number, stored=False)
        assert (stage.last.exchange, stage.last.headers["x-hub-attempt"]) == (rung.name, attempt)
        stage.confirm(stage.last.number)
        assert stage.acked_tags()[-1] == attempt
        stage.flow.consumed([stage.from_hub(pair, stage.last.body, headers=stage.last.headers)])
        assert stage.last.kind == "forward" and stage.last.marked
    stage.confirm(stage.last.number, stored=False)
    copy, report = stage.published[-2:]
    assert (copy.kind, report.kind, report.code) == ("park", "report", 500)
    assert copy.headers["x-hub-reason"] == "publish_nacked" and copy.headers["x-hub-history"].count(";") == 4
    assert "publish_nacked" in report.error["errorCause"]
    stage.confirm(copy.number)
    assert stage.acked_tags()[-1] == 3
    stage.confirm(report.number)
    assert stage.acked_tags()[-1] == 4


@pytest.mark.parametrize("order", ((0, 1), (1, 0)))
def test_the_parked_copy_and_its_report_are_one_unit(stage: Stage, order: tuple[int, int]) -> None:
    stage.deliver(stage.pairs[0], redelivered=True, headers={"x-delivery-count": 8})
    assert stage.kinds == ["park", "report"]
    first, second = (stage.published[at].number for at in order)
    stage.confirm(first)
    assert stage.acked == []
    stage.confirm(second)
    assert stage.acked == [(1, 1, True)]


def test_a_key_that_nobody_knows_climbs_and_is_parked_in_the_end(stage: Stage) -> None:
    pair = stage.pairs[0]
    stage.deliver(pair, key="fr.health.new.out.message")
    assert (stage.last.kind, stage.last.exchange) == ("retry", "hub.retry.1s")
    assert stage.last.headers["x-hub-key"] == "fr.health.new.out.message"
    stage.confirm(1)
    headers = {**stage.last.headers, "x-hub-attempt": 3}
    stage.flow.consumed([stage.from_hub(pair, stage.last.body, headers=headers)])
    assert stage.kinds[1:] == ["park"]  # nobody to report to
    assert stage.last.headers["x-hub-reason"] == names.REASON_UNKNOWN_KEY
    stage.confirm(2)
    assert stage.acked == [(1, 1, True), (1, 2, True)]


def test_a_directory_that_is_reloaded_meanwhile_decides_the_next_attempt(stage: Stage) -> None:
    pair = stage.pairs[0]
    stage.flow.rules = rules(EasyPack(), clients=(SDIS,))
    stage.deliver(pair, message("a"))
    assert stage.last.kind == "retry"
    stage.flow.rules = rules(EasyPack())
    stage.flow.consumed([stage.from_hub(pair, stage.last.body, headers=stage.last.headers)])
    assert stage.last.kind == "forward" and stage.last.marked


# ---- the outcome table, cell by cell -------------------------------------------------------------


def open_output(stage: Stage, kind: Kind) -> Output:
    """An open output of this kind, by the shortest way there."""
    pair = stage.pairs[0]
    if kind is Kind.TRIAL:
        stage.suspects.silent(INBOX)
        stage.deliver(pair, message("a"))
        return stage.trials[-1]
    if kind is Kind.FORWARD:
        stage.deliver(pair, message("a"))
    elif kind is Kind.REPORT:
        stage.deliver(pair, message("a", dateTimeExpires=when(-1)))
    elif kind is Kind.RETRY:
        stage.deliver(pair, message("a"), key="who.knows")
    else:
        stage.deliver(pair, message("a"), redelivered=True, headers={"x-delivery-count": 8})
    found = [output for output in pair.outputs._waiting if output is not None and output.kind is kind]
    return found[0]


def finish(stage: Stage, output: Output, outcome: Outcome) -> None:
    """As the broker or the session brings it about; the other outputs of the unit are confirmed."""
    numbers = {id(one): at for at, one in enumerate(stage.pairs[0].outputs._waiting, start=1)}
    number = numbers.pop(id(output), 0)
    for other in numbers.values():
        stage.confirm(other)
    if output.kind is Kind.TRIAL or outcome in (Outcome.SILENT, Outcome.LOST, Outcome.STOPPING):
        stage.flow.finish(output, outcome, stage.now)
        stage.flow.flush()
    elif outcome is Outcome.RETURNED:
        stage.give_back(stage.published[number - 1])
    else:
        stage.confirm(number, stored=outcome is Outcome.CONFIRMED)


@pytest.mark.parametrize("kind, outcome", TABLE)
def test_each_cell_of_the_table_is_carried_out(stage: Stage, kind: Kind, outcome: Outcome) -> None:
    output = open_output(stage, kind)
    stage.now += 2.0
    before = len(stage.published)
    finish(stage, output, outcome)
    step = TABLE[kind, outcome]
    new = stage.published[before:]
    assert (kind, outcome, 2.0) in stage.outcomes
    settled = step in (Step.DONE, Step.DONE_UNREPORTED)
    assert stage.acked == ([(1, 1, True)] if settled else [])
    assert [delivery.settled for delivery in stage.received_from] == [settled]
    assert stage.replacements == ([] if step is Step.DONE else [(kind, outcome, step)])
    expected = {Step.REFUSE: ["report"], Step.CLIMB: ["retry"], Step.PARK: ["park"]}.get(step, [])
    assert [publish.kind for publish in new] == expected  # a parked unknown key has nobody to report to
    if step in (Step.SUSPECT, Step.TROUBLE):
        assert stage.silences == [(step, output.queue)]
    else:
        assert stage.silences == []
    if new:
        stage.confirm_all()
        assert stage.acked == [(1, 1, True)]


@pytest.mark.parametrize("second", (Outcome.CONFIRMED, Outcome.RETURNED, Outcome.NACKED))
def test_what_replaces_an_output_has_outcomes_of_its_own(stage: Stage, second: Outcome) -> None:
    """Nacked, on the ladder; the ladder full, parked; a report nacked, the input climbs."""
    stage.deliver(stage.pairs[0], message("a", recipient="fr.health.nowhere"))
    stage.give_back(stage.last)
    assert stage.last.kind == "report"
    if second is Outcome.RETURNED:
        stage.give_back(stage.last)
        assert stage.acked == [(1, 1, True)]  # nobody has this inbox: counted, settled
    elif second is Outcome.NACKED:
        stage.confirm(stage.last.number, stored=False)
        assert stage.last.kind == "retry" and stage.acked == []
        stage.confirm(stage.last.number, stored=False)
        assert stage.kinds[-2:] == ["park", "report"]
        assert stage.published[-2].headers["x-hub-reason"] == "ladder_full"
        stage.confirm(5, multiple=True)
        assert stage.acked == [(1, 1, True)]
    else:
        stage.confirm(2)
        assert stage.acked == [(1, 1, True)]


# ---- suspect inboxes -----------------------------------------------------------------------------


def test_a_suspect_inbox_gets_one_trial_and_the_rest_climbs_marked(stage: Stage) -> None:
    stage.suspects.silent(INBOX)
    stage.deliver(stage.pairs[0], message("a"), message("b"), message("c", recipient=SAMU2))
    (trial,) = stage.trials
    assert trial.kind is Kind.TRIAL and trial.delivery.marked and trial.queue == INBOX
    assert stage.kinds == ["retry", "forward"]
    assert stage.published[0].headers["x-hub-history"].endswith(" inbox_suspect;")
    assert not stage.published[1].marked
    stage.confirm(2, multiple=True)
    assert stage.acked == []
    stage.suspects.tried(INBOX, answered=True)
    stage.flow.finish(trial, Outcome.CONFIRMED, stage.now)
    stage.flow.flush()
    assert stage.acked == [(1, 3, True)]
    stage.deliver(stage.pairs[0], message("d"))
    assert stage.last.kind == "forward" and not stage.last.marked


def test_a_trial_is_timed_from_its_start(stage: Stage) -> None:
    stage.suspects.silent(INBOX)
    stage.deliver(stage.pairs[0], message("a"))
    stage.now += 3.0
    stage.flow.finish(stage.trials[0], Outcome.CONFIRMED, stage.now)
    assert stage.outcomes == [(Kind.TRIAL, Outcome.CONFIRMED, 3.0)]


def test_the_trial_of_a_pair_that_is_gone_settles_nothing(stage: Stage) -> None:
    stage.suspects.silent(INBOX)
    pair = stage.pairs[0]
    stage.deliver(pair, message("a"))
    stage.flow.abandon(pair)
    stage.reopen(pair)
    stage.flow.finish(stage.trials[0], Outcome.CONFIRMED, stage.now)
    stage.flow.flush()
    assert stage.acked == []


def test_a_report_to_a_suspect_inbox_is_not_published_on_the_data_path(stage: Stage) -> None:
    """DELIVERY.md 4: the outputs of a suspect inbox count as nacked until a trial is confirmed; reports are outputs. A
    silent info inbox would otherwise end the connection every 30 s for as long as its client sends bad messages."""
    stage.suspects.silent(INFO)
    stage.deliver(stage.pairs[0], message("a", dateTimeExpires=when(-1)), message("b", dateTimeExpires=when(-1)))
    assert INFO not in [publish.key for publish in stage.published]


def test_a_parked_report_to_a_suspect_inbox_is_not_published_on_the_data_path(stage: Stage) -> None:
    stage.suspects.silent(INFO)
    stage.deliver(stage.pairs[0], message("a"), redelivered=True, headers={"x-delivery-count": 8})
    assert "park" in stage.kinds
    assert INFO not in [publish.key for publish in stage.published]


def test_a_suspect_info_inbox_gets_one_report_as_a_trial_and_the_rest_climb_marked(stage: Stage) -> None:
    stage.suspects.silent(INFO)
    stage.deliver(stage.pairs[0], *(message(name, dateTimeExpires=when(-1)) for name in "abc"))
    (trial,) = stage.trials
    assert trial.kind is Kind.TRIAL and trial.queue == INFO and trial.delivery.marked
    assert stage.kinds == ["retry", "retry"] and identifiers(stage.published) == ["b", "c"]
    stage.confirm(2, multiple=True)
    assert stage.acked == []
    stage.flow.finish(trial, Outcome.CONFIRMED, stage.now)
    stage.flow.flush()
    assert stage.acked == [(1, 3, True)]


@pytest.mark.parametrize("outcome", (Outcome.NACKED, Outcome.SILENT, Outcome.LOST))
def test_a_report_whose_trial_fails_makes_the_input_climb(stage: Stage, outcome: Outcome) -> None:
    stage.suspects.silent(INFO)
    stage.deliver(stage.pairs[0], message("a", dateTimeExpires=when(-1)))
    stage.flow.finish(stage.trials[0], outcome, stage.now)
    stage.flow.flush()
    assert stage.kinds == ["retry"] and stage.acked == []
    stage.confirm(1)
    assert stage.acked == [(1, 1, True)]


def test_a_tried_report_that_comes_back_has_nobody_to_go_to(stage: Stage) -> None:
    stage.suspects.silent(INFO)
    stage.deliver(stage.pairs[0], message("a", dateTimeExpires=when(-1)))
    stage.flow.finish(stage.trials[0], Outcome.RETURNED, stage.now)
    stage.flow.flush()
    assert stage.published == [] and stage.acked == [(1, 1, True)]
    assert stage.replacements[-1][2] is Step.DONE_UNREPORTED


def test_a_501_report_to_a_suspect_inbox_is_tried_too(stage: Stage) -> None:
    stage.suspects.silent(INFO)
    stage.deliver(stage.pairs[0], message("a", recipient="fr.health.nowhere"))
    stage.give_back(stage.last)
    (trial,) = stage.trials
    assert trial.queue == INFO and stage.kinds == ["forward"] and stage.acked == []
    stage.flow.finish(trial, Outcome.CONFIRMED, stage.now)
    stage.flow.flush()
    assert stage.acked == [(1, 1, True)]


def test_what_is_parked_is_settled_by_its_copy_where_its_report_has_a_suspect_inbox(stage: Stage) -> None:
    stage.suspects.silent(INFO)
    stage.deliver(stage.pairs[0], message("a"), redelivered=True, headers={"x-delivery-count": 8})
    stage.flow.consumed([stage.from_hub(stage.pairs[0], message("b"), headers={"x-hub-attempt": 3})])
    stage.confirm(2, stored=False)
    assert stage.kinds == ["park", "forward", "park"] and stage.acked == []
    assert stage.replacements.count((Kind.PARKED_REPORT, Outcome.NACKED, Step.DONE_UNREPORTED)) == 2
    stage.confirm(1)
    stage.confirm(3)
    assert stage.acked_tags() == [1, 2]


def test_an_outage_of_many_inboxes_costs_one_reconnect(stage: Stage) -> None:
    """DELIVERY.md 4: a delivery count grows by two at most. Each inbox that was silent is found out at once."""
    pair = stage.pairs[0]
    clients = [f"fr.health.s{at}" for at in range(30)]
    stage.deliver(pair, *(message(str(at), recipient=client) for at, client in enumerate(clients)))
    stage.now += 31
    for output in stage.flow.silent_outputs(stage.now - 30):
        stage.flow.finish(output, Outcome.SILENT, stage.now)
    assert {step for step, _ in stage.silences} == {Step.SUSPECT} and len(stage.silences) == 30
    for _, queue in stage.silences:
        stage.suspects.silent(queue)
    stage.flow.abandon(pair)
    stage.reopen(pair)
    before = len(stage.published)
    stage.deliver(pair, *(message(str(at), recipient=client) for at, client in enumerate(clients)), redelivered=True)
    assert {publish.kind for publish in stage.published[before:]} == {"retry"} and len(stage.trials) == 1
    for publish in stage.published[before:]:
        stage.confirm(publish.number)
    assert stage.flow.silent_outputs(stage.now + 1000) == []


# ---- silence, alarms -----------------------------------------------------------------------------


def test_outputs_are_silent_from_their_own_moment_on(stage: Stage) -> None:
    stage.deliver(stage.pairs[0], message("a"))
    stage.now += 10
    stage.deliver(stage.pairs[0], message("b"))
    assert stage.flow.silent_outputs(stage.now - 30) == []
    stage.now += 20.5
    (late,) = stage.flow.silent_outputs(stage.now - 30)
    assert late.queue == INBOX
    stage.confirm(1)
    assert stage.flow.silent_outputs(stage.now - 30) == []


def test_every_inbox_that_was_silent_is_told(stage: Stage) -> None:
    """Or each costs a reconnect of its own, and everything prefetched a delivery count with it."""
    stage.deliver(stage.pairs[0], message("a"), message("b", recipient=SAMU2), message("c"))
    stage.now += 31
    assert {output.queue for output in stage.flow.silent_outputs(stage.now - 30)} == {INBOX, SAMU2.inboxes[0]}


def test_while_blocked_timers_stand_still(stage: Stage) -> None:
    stage.deliver(stage.pairs[0], message("a"))
    stage.now += 20
    stage.block()
    stage.now += 3600
    stage.flow.stand_still(3600)  # the session tells how long it was
    stage.block(False)
    assert stage.flow.silent_outputs(stage.now - 30) == []
    stage.now += 10.5
    assert len(stage.flow.silent_outputs(stage.now - 30)) == 1


def test_while_blocked_nothing_new_is_decided_and_confirms_are_still_taken(stage: Stage) -> None:
    stage.deliver(stage.pairs[0], message("a"))
    stage.block()
    assert stage.blocks == [True]
    stage.deliver(stage.pairs[0], message("b"))
    assert identifiers(stage.published) == ["a"]
    stage.confirm(1)
    assert stage.acked == [(1, 1, True)]
    stage.block(False)
    assert stage.blocks == [True, False]
    assert identifiers(stage.published) == ["a", "b"]


def test_blocked_and_unblocked_in_one_batch_decide_at_its_end(stage: Stage) -> None:
    stage.block()
    stage.deliver(stage.pairs[0], message("a"))
    stage.flow.published([Blocked(False), Blocked(True)])
    assert stage.published == []
    stage.flow.published([Blocked(True), Blocked(False)])
    assert identifiers(stage.published) == ["a"]


@pytest.mark.parametrize("how", ("stopping", "not writable"))
def test_what_stops_deciding_does_not_stop_settling(stage: Stage, how: str) -> None:
    stage.deliver(stage.pairs[0], message("a"), message("b"))
    if how == "stopping":
        stage.flow.stopping = True
    else:
        stage.flow.writable = False
    stage.deliver(stage.pairs[0], message("c"))
    stage.confirm(1)
    stage.confirm(2, stored=False)
    assert identifiers(stage.published) == ["a", "b", "b"]
    stage.confirm(3)
    assert stage.acked_tags() == [1, 2]
    stage.flow.stopping, stage.flow.writable = False, True
    stage.flow.pump()
    assert identifiers(stage.published)[-1] == "c"


# ---- bounds --------------------------------------------------------------------------------------


def test_undecided_bytes_above_their_bound_pause_reading_until_half_is_decided() -> None:
    size = len(message("00"))
    stage = Stage(undecided_max_bytes=10 * size)
    pair = stage.pair()
    stage.block()
    stage.deliver(pair, *(message(f"{at:02d}") for at in range(10)))
    assert stage.pauses == [] and stage.flow.undecided_bytes == 10 * size
    stage.deliver(pair, message("10"))
    assert stage.pauses == [True]
    stage.deliver(pair, message("11"))  # was on its way already
    assert stage.pauses == [True]
    stage.block(False)
    assert stage.pauses == [True, False] and stage.flow.undecided_bytes == 0
    assert identifiers(stage.published) == [f"{at:02d}" for at in range(12)]


def test_unconfirmed_bytes_above_their_bound_stop_deciding_until_confirms_come() -> None:
    size = len(message("00"))
    stage = Stage(undecided_max_bytes=5 * size, unconfirmed_max_bytes=3 * size)
    pair = stage.pair()
    for at in range(20):
        stage.deliver(pair, message(f"{at:02d}"))
    assert len(stage.published) == 3 and stage.flow.unconfirmed_bytes == 3 * size
    assert stage.pauses == [True]
    stage.confirm(1)
    assert stage.flow.undecided_bytes + stage.flow.unconfirmed_bytes <= 17 * size + SLICE_DELIVERIES * size
    stage.confirm_all()
    assert stage.flow.unconfirmed_bytes == stage.flow.undecided_bytes == 0
    assert len(stage.published) == 20 and stage.pauses[-1] is False
    assert stage.acked_tags()[-1] == 20


def test_every_output_is_counted_while_it_is_open_and_not_after(stage: Stage) -> None:
    """Forward, report, retry, park and its report: each by its own body."""
    pair = stage.pairs[0]
    stage.deliver(pair, message("a"), message("b", dateTimeExpires=when(-1)))
    stage.deliver(pair, message("c"), key="who.knows")
    stage.deliver(pair, message("d"), redelivered=True, headers={"x-delivery-count": 8})
    assert stage.flow.unconfirmed_bytes == sum(len(publish.body) for publish in stage.published)
    stage.confirm(1, stored=False)
    assert stage.last.kind == "retry"
    stage.give_back(stage.published[1])
    stage.confirm_all()
    assert stage.flow.unconfirmed_bytes == 0


@pytest.mark.parametrize("how", ("abandon", "isolate"))
def test_a_pair_that_goes_while_reading_is_paused_lets_the_others_be_read_again(how: str) -> None:
    """Nothing is left to decide, so no decision will ever resume it; unread, not even the channel's close-ok comes."""
    size = len(message("0"))
    stage = Stage(undecided_max_bytes=2 * size)
    pair = stage.pair()
    stage.block()
    stage.deliver(pair, *(message(str(at)) for at in range(4)), redelivered=True, headers={"x-delivery-count": 3})
    assert stage.pauses == [True]
    if how == "abandon":
        stage.flow.abandon(pair)
    else:
        stage.block(False)
    assert stage.flow.undecided_bytes == 0
    assert stage.pauses == [True, False]


# ---- fairness ------------------------------------------------------------------------------------


def test_a_flooding_shard_delays_another_by_at_most_a_slice(stage: Stage) -> None:
    flood, calm = stage.pairs[0], stage.pair(SHARDS[SDIS.id])
    stage.block()
    stage.deliver(flood, *(message(str(at)) for at in range(200)))
    stage.deliver(calm, body(SDIS, SAMU, distributionID="x_calm"), key=SDIS.publish_keys[0])
    stage.block(False)
    order = identifiers(stage.published)
    assert order.index("calm") == SLICE_DELIVERIES
    assert [name for name in order if name != "calm"] == [str(at) for at in range(200)]


def test_shards_take_turns_in_slices(stage: Stage) -> None:
    flood, other = stage.pairs[0], stage.pair(SHARDS[SDIS.id])
    stage.block()
    stage.deliver(flood, *(message(f"a{at}") for at in range(40)))
    payloads = [body(SDIS, SAMU, distributionID=f"x_b{at}") for at in range(40)]
    stage.deliver(other, *payloads, key=SDIS.publish_keys[0])
    stage.block(False)
    runs = "".join(name[0] for name in identifiers(stage.published))
    assert runs == ("a" * 16 + "b" * 16) * 2 + "a" * 8 + "b" * 8


def test_after_its_time_the_loop_gets_its_turn_and_the_next_shard_comes_first() -> None:
    stage = Stage()
    flood, calm = stage.pair(), stage.pair(SHARDS[SDIS.id])
    stage.block()
    stage.deliver(flood, *(message(f"a{at}") for at in range(40)))
    stage.deliver(calm, body(SDIS, SAMU, distributionID="x_calm"), key=SDIS.publish_keys[0])
    stage.flow.blocked = False
    clock = stage.flow._clock
    stage.flow._clock = lambda: clock() + 0.02 * len(stage.received_from)  # each decision costs 20 ms
    stage.flow.pump()
    assert (len(stage.published), stage.again) == (1, 1)  # sixteen that cost a second each would be a worker that hangs
    assert stage.writes[-1][0] == "publish"  # what was decided is written, not held back
    stage.flow.pump()
    assert identifiers(stage.published)[1] == "calm"


# ---- poison --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", (3, 4, 7))
def test_a_suspected_poison_makes_the_pair_start_alone(stage: Stage, count: int) -> None:
    pair = stage.pairs[0]
    stage.flow.consumed(
        [
            stage.content(pair, message("before")),
            stage.content(pair, message("poison"), redelivered=True, headers={"x-delivery-count": count}),
            stage.content(pair, message("behind")),
        ]
    )
    assert stage.isolated == [pair]
    assert identifiers(stage.published) == ["before"]
    assert stage.flow.undecided_bytes == 0 and pair.state is State.CLOSING
    stage.deliver(pair, message("later"))
    assert identifiers(stage.published) == ["before"]
    stage.confirm(1)
    assert stage.acked == [(1, 1, True)]


@pytest.mark.parametrize("count", (0, 1, 2))
def test_a_message_that_came_back_twice_is_no_suspect(stage: Stage, count: int) -> None:
    stage.deliver(stage.pairs[0], message("a"), redelivered=True, headers={"x-delivery-count": count})
    assert stage.isolated == [] and stage.last.marked


def test_a_suspected_poison_does_not_hold_up_another_shard(stage: Stage) -> None:
    poison, calm = stage.pairs[0], stage.pair(SHARDS[SDIS.id])
    stage.block()
    stage.deliver(poison, message("poison"), redelivered=True, headers={"x-delivery-count": 3})
    stage.deliver(calm, body(SDIS, SAMU, distributionID="x_calm"), key=SDIS.publish_keys[0])
    stage.block(False)
    assert stage.isolated == [poison] and identifiers(stage.published) == ["calm"]


def test_alone_a_suspected_poison_is_decided_and_left_behind_by_the_next_fresh_message() -> None:
    stage = Stage()
    pair = stage.pair(prefetch=1)
    stage.deliver(pair, message("poison"), redelivered=True, headers={"x-delivery-count": 5})
    assert stage.isolated == [] and stage.last.marked
    stage.confirm(1)
    assert stage.past == [] and stage.acked == [(1, 1, True)]
    stage.deliver(pair, message("neighbour"), redelivered=True, headers={"x-delivery-count": 1})
    stage.confirm(2)
    assert stage.past == []
    stage.deliver(pair, message("fresh"))
    stage.confirm(3)
    assert stage.past == [pair]


def test_parked_poison_needs_no_isolation(stage: Stage) -> None:
    stage.deliver(stage.pairs[0], message("a"), redelivered=True, headers={"x-delivery-count": 8})
    assert stage.isolated == [] and stage.kinds == ["park", "report"]
    assert stage.published[0].headers["x-hub-reason"] == names.REASON_POISON


# ---- the mark ------------------------------------------------------------------------------------


def test_the_mark_is_on_what_may_be_a_copy_and_on_nothing_else(stage: Stage) -> None:
    pair = stage.pairs[0]
    forged = {"x-hub-possible-duplicate": True, "x-hub-origin": "replay"}
    stage.flow.consumed(
        [
            stage.content(pair, message("fresh")),
            stage.content(pair, message("forged"), headers=forged),
            stage.content(pair, message("redelivered"), redelivered=True),
            stage.from_hub(pair, message("ladder"), headers={"x-hub-attempt": 1}),
            stage.from_hub(pair, message("replay"), headers={"x-hub-origin": "replay"}),
            stage.content(pair, message("fresh")),
        ]
    )
    assert [publish.marked for publish in stage.published] == [False, False, True, True, True, True]


def test_a_repeat_is_marked_within_its_window_and_per_client(stage: Stage) -> None:
    pair = stage.pairs[0]
    stage.deliver(pair, message("a"))
    stage.now += 599
    stage.deliver(pair, message("a"))
    stage.now += 601
    stage.deliver(pair, message("a"))
    assert [publish.marked for publish in stage.published] == [False, True, False]


def test_a_refused_message_is_not_remembered_as_an_arrival(stage: Stage) -> None:
    stage.deliver(stage.pairs[0], message("a", dateTimeExpires=when(-1)), message("a"))
    assert stage.kinds == ["report", "forward"] and not stage.last.marked


def test_a_redelivered_refusal_has_a_marked_report(stage: Stage) -> None:
    stage.deliver(stage.pairs[0], message("a", dateTimeExpires=when(-1)), redelivered=True)
    assert stage.last.marked


# ---- our own faults ------------------------------------------------------------------------------


class BrokenPack(EasyPack):
    def judge(self, content: Any) -> tuple[tuple[str, ...], tuple[Fault, ...]]:
        if b"broken" in bytes(content):
            raise ZeroDivisionError
        return super().judge(content)


def broken(name: str) -> bytes:
    return message(name, content=["broken"])


def test_an_exception_in_a_decision_parks_the_message_and_the_worker_goes_on() -> None:
    stage = Stage(rules(BrokenPack()))
    stage.deliver(stage.pair(), message("a"), broken("b"), message("c"))
    assert [type(bug) for bug in stage.bugs] == [ZeroDivisionError]
    assert stage.kinds == ["forward", "park", "report", "forward"]
    assert identifiers(stage.published) == ["a", "b", "b", "c"]
    assert stage.published[1].headers["x-hub-reason"] == "internal_error"
    assert stage.published[1].body == broken("b") and stage.published[2].code == 500
    stage.confirm(1)
    stage.confirm(2)
    assert stage.acked_tags() == [1]
    stage.confirm(4, multiple=True)
    assert stage.acked_tags() == [1, 3]


def test_a_message_whose_report_cannot_be_made_is_parked_without_one_and_the_worker_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outputs, "report", lambda *_: 1 / 0)
    stage = Stage(rules(BrokenPack()))
    stage.deliver(stage.pair(), message("a"), broken("b"), message("c"))
    assert stage.kinds == ["forward", "park", "forward"]
    stage.confirm_all()
    assert stage.acked_tags() == [3] and stage.published[1].body == broken("b")


@pytest.mark.parametrize("levels", (600, 900, 20_000))
def test_a_body_nested_deep_is_refused_or_parked_and_never_the_end_of_the_worker(levels: int) -> None:
    from tests.router.core.making import pack

    stage = Stage(rules(pack()))
    nested = body(content=None)[:-1] + b',"content":' + b"[" * levels + b"]" * levels + b"}"
    stage.deliver(stage.pair(), nested, message("b"))
    assert stage.kinds[-1] == "forward" and stage.kinds[0] in ("report", "park")
    stage.confirm_all()
    assert stage.acked_tags() == [2]


def test_an_exception_while_an_output_is_made_leaves_the_numbers_in_step(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number that is taken and not written would shift every later confirm to the wrong message."""
    pair = stage.pairs[0]
    usual = pair.method

    def failing(exchange: str, queue: str) -> bytes:
        if queue == XML.inboxes[0]:
            raise ZeroDivisionError
        return usual(exchange, queue)

    monkeypatch.setattr(pair, "method", failing)
    monkeypatch.setattr(decide_module, "_refused_recipient", lambda *_: None)
    stage.deliver(pair, message("a"), message("b", recipient=XML), message("c"))
    assert identifiers(stage.published) == ["a", "b", "b", "c"]
    assert [publish.number for publish in stage.published] == [1, 2, 3, 4]
    assert stage.flow.unconfirmed_bytes == sum(len(publish.body) for publish in stage.published)
    stage.confirm(4, multiple=True)
    assert stage.acked_tags() == [3] and stage.failures == []


# ---- pairs that go -------------------------------------------------------------------------------


def test_confirms_of_an_abandoned_pair_settle_nothing(stage: Stage) -> None:
    pair = stage.pairs[0]
    stage.deliver(pair, message("a"), message("b"))
    stage.flow.abandon(pair)
    assert stage.flow.unconfirmed_bytes == 0 and stage.all_settled == 1
    stage.flow.published([Confirm(1, 2, True, True)])
    stage.flow.published([stage.return_of(stage.published[0])])
    assert stage.acked == [] and stage.failures == [] and stage.settlements == []


def test_a_pair_that_starts_anew_counts_from_one_and_takes_no_old_confirm(stage: Stage) -> None:
    pair = stage.pairs[0]
    stage.deliver(pair, message("a"), message("b"))
    stage.confirm(1)
    assert stage.acked == [(1, 1, True)]
    stage.flow.abandon(pair)
    stage.reopen(pair)
    stage.deliver(pair, message("b"), redelivered=True)
    assert (stage.last.channel, stage.last.number, stage.last.marked) == (2, 1, True)
    stage.flow.published([Confirm(1, 2, False, True)])
    assert stage.acked == [(1, 1, True)]
    stage.confirm(1)
    assert stage.acked == [(1, 1, True), (2, 1, True)]


def test_an_output_finished_after_its_pair_was_abandoned_settles_nothing(stage: Stage) -> None:
    pair = stage.pairs[0]
    stage.deliver(pair, message("a"))
    output = pair.outputs.older_than(float("inf"))[0]
    assert output is not None
    stage.flow.abandon(pair)
    stage.reopen(pair)
    for outcome in Outcome:
        stage.flow.finish(output, outcome, stage.now)
    stage.flow.pump()
    assert stage.acked == [] and len(stage.published) == 1 and stage.silences == []


def test_deliveries_for_a_channel_that_is_going_or_gone_are_the_brokers(stage: Stage) -> None:
    pair = stage.pairs[0]
    late = stage.content(pair, message("late"))
    stage.flow.forget(pair)
    stage.flow.consumed([late])
    stage.flow.abandon(pair)
    stage.flow.consumed([late, late._replace(channel=99)])
    assert stage.published == [] and stage.flow.undecided_bytes == 0


def test_what_is_no_delivery_on_the_consuming_connection_is_passed_over(stage: Stage) -> None:
    stage.flow.consumed([Blocked(True), Confirm(1, 1, False, True), stage.content(stage.pairs[0], message("a"))])
    assert identifiers(stage.published) == ["a"] and stage.blocks == [] and stage.failures == []


def test_what_waited_for_a_decision_is_forgotten_with_its_pair(stage: Stage) -> None:
    pair, other = stage.pairs[0], stage.pair(SHARDS[SDIS.id])
    stage.block()
    stage.deliver(pair, message("a"))
    stage.deliver(other, body(SDIS, SAMU, distributionID="x_b"), key=SDIS.publish_keys[0])
    stage.flow.abandon(pair)
    stage.reopen(pair)
    stage.block(False)
    assert identifiers(stage.published) == ["b"]
    stage.deliver(pair, message("a"), redelivered=True)
    assert identifiers(stage.published) == ["b", "a"]


def test_an_abandoned_pair_does_not_touch_the_other(stage: Stage) -> None:
    pair, other = stage.pairs[0], stage.pair(SHARDS[SDIS.id])
    stage.deliver(pair, message("a"))
    stage.deliver(other, body(SDIS, SAMU, distributionID="x_b"), key=SDIS.publish_keys[0])
    stage.flow.abandon(pair)
    stage.confirm(1, pair=other)
    assert stage.acked == [(2, 1, True)]


# ---- the hub's own queues ------------------------------------------------------------------------


def test_a_dead_letter_is_reported_and_climbs_back_to_its_own_queue(stage: Stage) -> None:
    pair = stage.pair(-1, Role.DEAD_INBOX, names.DEAD_INBOX)
    headers = {"x-hub-key": KEY, "x-death": [{"reason": "expired", "queue": INBOX}]}
    stage.deliver(pair, message("a"), key=INBOX, exchange=names.DEAD_INBOX, headers=headers)
    assert (stage.last.kind, stage.last.key, stage.last.code) == ("report", INFO, 500)
    stage.confirm(1, pair=pair, stored=False)
    assert (stage.last.kind, stage.last.exchange, stage.last.key) == ("retry", "hub.retry.1s", names.DEAD_INBOX)
    stage.confirm(2, pair=pair)
    assert stage.acked_tags(pair) == [1]


def test_a_parked_message_at_its_end_is_settled_without_a_word(stage: Stage) -> None:
    pair = stage.pair(-1, Role.DEAD_PARKED, names.DEAD_PARKED)
    stage.deliver(pair, message("a"), key=names.PARKED, exchange=names.DEAD_PARKED, headers={"x-hub-key": KEY})
    assert stage.published == [] and stage.acked_tags(pair) == [1]


def test_an_unknown_key_is_parked(stage: Stage) -> None:
    pair = stage.pair(-1, Role.UNKNOWN, names.UNKNOWN_QUEUE)
    stage.deliver(pair, message("a"), key="who.knows")
    assert stage.kinds == ["park"] and stage.last.headers["x-hub-reason"] == "unknown_key"


def test_the_observer_sees_each_delivery_received_and_settled(stage: Stage) -> None:
    stage.deliver(stage.pairs[0], message("a"), message("b", dateTimeExpires=when(-1)), b"", message("c"))
    assert [type(delivery.decision).__name__ for delivery in stage.received_from] == [
        "Forward",
        "Refuse",
        "Refuse",
        "Forward",
    ]
    stage.confirm_all()
    assert [delivery.tag for delivery, _ in stage.settlements] == [1, 2, 3, 4]
