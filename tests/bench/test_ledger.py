"""The ledger against its law (DELIVERY.md 10), and its three controls: a run with a broken router must fail."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import ledger as module
from bench.ledger import EXAMPLES_MAX, FAULTS, REFUSED, Ledger, Verdict

A, B = "fr.health.a", "fr.health.b"
INBOX, OTHER = "fr.health.z.in.message", "fr.health.y.in.message"


def run(count: int = 10, client: str = A, inbox: str = INBOX) -> Ledger:
    """`count` confirmed publishes, none of them arrived."""
    ledger = Ledger()
    for number in range(1, count + 1):
        ledger.published(client, number, inbox, digest=number)
        ledger.confirmed(client, number)
    return ledger


def arrive(ledger: Ledger, *numbers: int, marked: bool = False, client: str = A, inbox: str = INBOX) -> None:
    for number in numbers:
        ledger.received(client, number, marked, inbox, digest=number)


def test_everything_delivered_once_in_order_is_clean() -> None:
    ledger = run(10)
    arrive(ledger, *range(1, 11))
    verdict = ledger.verdict()
    assert (verdict.published, verdict.confirmed, verdict.delivered) == (10, 10, 10)
    assert verdict.ok and verdict.in_order and verdict.faults == () and verdict.examples == {}
    assert verdict.lost == verdict.reported == verdict.resent == verdict.unconfirmed == 0


def test_nothing_at_all_is_clean_and_empty() -> None:
    verdict = Ledger().verdict()
    assert verdict.ok and verdict.published == 0


# ---- the three controls ------------------------------------------------------------------------------


def healthy(ledger: Ledger, numbers: list[int]) -> None:
    arrive(ledger, *numbers)


def acknowledges_before_the_confirm(ledger: Ledger, numbers: list[int]) -> None:
    """Its worker is killed at 5: what it had acknowledged and not yet published is gone."""
    arrive(ledger, *(number for number in numbers if number not in (5, 6)))


def omits_the_mark(ledger: Ledger, numbers: list[int]) -> None:
    """Its worker is killed at 6: 5 and 6 are redelivered and published again."""
    arrive(ledger, *numbers[:6])
    arrive(ledger, *numbers[4:])


def swaps_two_messages(ledger: Ledger, numbers: list[int]) -> None:
    numbers[3], numbers[4] = numbers[4], numbers[3]
    arrive(ledger, *numbers)


@pytest.mark.parametrize(
    ("router", "faults"),
    [
        (healthy, ()),
        (acknowledges_before_the_confirm, ("lost=2",)),
        (omits_the_mark, ("unmarked_duplicates=2",)),
        (swaps_two_messages, ("disorder=1",)),
    ],
)
def test_controls(router: Callable[[Ledger, list[int]], None], faults: tuple[str, ...]) -> None:
    ledger = run(10)
    router(ledger, list(range(1, 11)))
    assert ledger.verdict().faults == faults


# ---- lost --------------------------------------------------------------------------------------------


def test_confirmed_and_gone_is_lost_and_named() -> None:
    ledger = run(3)
    arrive(ledger, 1, 3)
    assert ledger.missing() == 1
    verdict = ledger.verdict()
    assert verdict.lost == 1 and not verdict.ok
    assert verdict.examples == {"lost": (f"{A}_2",)}


def test_nothing_is_owed_for_what_was_never_confirmed() -> None:
    ledger = Ledger()
    ledger.published(A, 1, INBOX)
    ledger.published(A, 2, INBOX)
    arrive(ledger, 2)
    verdict = ledger.verdict()
    assert verdict.ok and verdict.lost == 0
    assert (verdict.unconfirmed, verdict.delivered, verdict.delivered_unconfirmed) == (2, 1, 1)


def test_a_report_settles_a_publish() -> None:
    ledger = run(2, inbox="")
    arrive(ledger, 1)
    ledger.reported(A, 2, 300, marked=False)
    verdict = ledger.verdict()
    assert verdict.ok and (verdict.delivered, verdict.reported) == (1, 1)
    assert verdict.reports_by_code == {300: 1}


def test_parked_and_reported_is_not_lost_but_parked_in_silence_is() -> None:
    ledger = run(2)
    ledger.parked(A, 1)
    ledger.reported(A, 1, 500, marked=True)
    ledger.parked(A, 2)
    verdict = ledger.verdict()
    assert (verdict.parked, verdict.reported, verdict.lost) == (2, 1, 1)
    assert verdict.examples["lost"] == (f"{A}_2",)


def test_reports_about_one_client_do_not_settle_another_s() -> None:
    ledger = run(1, A)
    ledger.published(B, 1, INBOX)
    ledger.confirmed(B, 1)
    ledger.reported(B, 1, 501, marked=False)
    verdict = ledger.verdict()
    assert verdict.lost == 1 and verdict.examples["lost"] == (f"{A}_1",)


# ---- duplicates --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marks", "unmarked", "marked"),
    [
        ((False,), 0, 0),
        ((True,), 0, 0),
        ((False, True), 0, 1),
        ((True, False), 0, 1),
        ((True, True), 0, 1),
        ((False, False), 1, 0),
        ((False, True, True), 0, 2),
        ((False, True, False), 1, 1),
        ((False, False, False), 2, 0),
    ],
)
def test_at_most_one_copy_may_lack_the_mark(marks: tuple[bool, ...], unmarked: int, marked: int) -> None:
    ledger = run(1)
    for mark in marks:
        arrive(ledger, 1, marked=mark)
    verdict = ledger.verdict()
    assert (verdict.unmarked_duplicates, verdict.marked_duplicates) == (unmarked, marked)
    assert verdict.ok is (unmarked == 0) and verdict.delivered == 1


def test_two_equal_reports_are_duplicates_too() -> None:
    ledger = run(2)
    for marked in (False, False):
        ledger.reported(A, 1, 300, marked)
    for marked in (False, True):
        ledger.reported(A, 2, 300, marked)
    verdict = ledger.verdict()
    assert (verdict.unmarked_duplicates, verdict.marked_duplicates, verdict.reported) == (1, 1, 2)


def test_delivered_and_refused_is_a_copy_too_many_unless_one_is_marked() -> None:
    ledger = run(2, inbox="")
    arrive(ledger, 1, 2)
    ledger.reported(A, 1, 400, marked=False)
    ledger.reported(A, 2, 400, marked=True)
    verdict = ledger.verdict()
    assert (verdict.unmarked_duplicates, verdict.marked_duplicates) == (1, 1)


def test_a_500_and_a_late_delivery_are_no_copies_of_each_other() -> None:
    """Parked and reported, then replayed: both are promised."""
    ledger = run(1)
    ledger.reported(A, 1, 500, marked=False)
    arrive(ledger, 1)
    verdict = ledger.verdict()
    assert verdict.ok and verdict.marked_duplicates == 0


# ---- order -------------------------------------------------------------------------------------------


def test_order_is_judged_on_first_arrivals_only() -> None:
    ledger = run(4)
    arrive(ledger, 1, 2)
    arrive(ledger, 1, 2, marked=True)
    arrive(ledger, 3, 4)
    arrive(ledger, 1, marked=True)
    verdict = ledger.verdict()
    assert verdict.disorder == verdict.marked_disorder == 0 and verdict.in_order


def test_each_overtaken_message_counts_once() -> None:
    ledger = run(5)
    arrive(ledger, 5, 1, 2, 3, 4)
    assert ledger.verdict().disorder == 4
    assert ledger.verdict().examples["disorder"] == tuple(f"{A}_{number}" for number in (1, 2, 3, 4))


def test_a_late_first_arrival_that_is_marked_is_excused_and_listed() -> None:
    ledger = run(3)
    arrive(ledger, 1, 3)
    arrive(ledger, 2, marked=True)
    verdict = ledger.verdict()
    assert verdict.ok and (verdict.disorder, verdict.marked_disorder) == (0, 1)
    assert not verdict.in_order


def test_an_unmarked_message_behind_a_marked_later_one_is_disorder() -> None:
    ledger = run(2)
    arrive(ledger, 2, marked=True)
    arrive(ledger, 1)
    assert ledger.verdict().disorder == 1


def test_clients_and_inboxes_have_an_order_of_their_own() -> None:
    ledger = Ledger()
    for client in (A, B):
        for number, inbox in ((1, INBOX), (2, OTHER), (3, INBOX)):
            ledger.published(client, number, inbox)
            ledger.confirmed(client, number)
    for client, number, inbox in (
        (A, 1, INBOX), (B, 1, INBOX), (A, 3, INBOX), (B, 3, INBOX), (B, 2, OTHER), (A, 2, OTHER),
    ):  # fmt: skip
        ledger.received(client, number, False, inbox)
    assert ledger.verdict().ok and ledger.verdict().in_order


def test_refusals_are_judged_apart() -> None:
    ledger = run(4, inbox="")
    arrive(ledger, 1, 4)
    ledger.reported(A, 3, 300, marked=False)
    ledger.reported(A, 2, 501, marked=False)
    verdict = ledger.verdict()
    assert verdict.ok and verdict.in_order and verdict.refused_disorder == 1


def test_reports_of_parked_messages_have_no_order() -> None:
    ledger = run(2)
    ledger.reported(A, 2, 500, marked=False)
    ledger.reported(A, 1, 500, marked=False)
    assert ledger.verdict().refused_disorder == 0


# ---- resends, strangers, wrong inboxes, altered bodies -------------------------------------------------


def test_a_resend_is_a_publish_of_its_own() -> None:
    """The broker died before it confirmed 2, the client sent it again as 3; the broker had stored both."""
    ledger = run(1)
    ledger.published(A, 2, INBOX)
    ledger.resent(A, 3, INBOX)
    ledger.confirmed(A, 3)
    arrive(ledger, 1, 2, 3)
    verdict = ledger.verdict()
    assert verdict.ok
    assert (verdict.published, verdict.resent, verdict.confirmed, verdict.unconfirmed) == (2, 1, 2, 1)
    assert verdict.unmarked_duplicates == verdict.marked_duplicates == 0


def test_a_lost_resend_is_lost() -> None:
    ledger = run(1)
    arrive(ledger, 1)
    ledger.resent(A, 2, INBOX)
    ledger.confirmed(A, 2)
    assert ledger.verdict().faults == ("lost=1",)


def test_a_number_is_used_once() -> None:
    ledger = run(1)
    with pytest.raises(ValueError, match="number 1 twice"):
        ledger.published(A, 1)
    with pytest.raises(ValueError, match="number 1 twice"):
        ledger.resent(A, 1)


def test_senders_may_be_fed_after_recipients() -> None:
    ledger = Ledger()
    arrive(ledger, 1)
    assert ledger.verdict().faults == ("strangers=1",)
    ledger.published(A, 1, INBOX, digest=1)
    ledger.confirmed(A, 1)
    assert ledger.verdict().ok


def test_what_nobody_published_is_a_stranger() -> None:
    ledger = run(1)
    arrive(ledger, 1, 7, 7)
    ledger.reported(B, 1, 300, marked=False)
    assert ledger.verdict().faults == ("strangers=3",)


def test_a_message_in_the_wrong_inbox_is_misdelivered_not_lost() -> None:
    ledger = run(1)
    arrive(ledger, 1, inbox=OTHER)
    assert ledger.verdict().faults == ("misdelivered=1",)


def test_what_must_be_refused_must_not_arrive() -> None:
    ledger = run(2, inbox=REFUSED)
    arrive(ledger, 1)
    ledger.reported(A, 2, 300, marked=False)
    assert ledger.verdict().faults == ("misdelivered=1",)


def test_what_must_arrive_must_not_be_refused_but_may_die() -> None:
    ledger = run(2)
    ledger.reported(A, 1, 501, marked=False)
    ledger.reported(A, 2, 500, marked=False)
    assert ledger.verdict().faults == ("wrongly_refused=1",)


def test_a_changed_body_is_altered() -> None:
    ledger = run(2)
    arrive(ledger, 1)
    ledger.received(A, 2, False, INBOX, digest=99)
    verdict = ledger.verdict()
    assert verdict.faults == ("altered=1",) and verdict.examples["altered"] == (f"{A}_2",)


def test_without_digest_or_inbox_neither_is_judged() -> None:
    ledger = Ledger()
    ledger.published(A, 1)
    ledger.confirmed(A, 1)
    ledger.received(A, 1, False, OTHER, digest=5)
    assert ledger.verdict().ok


# ---- the verdict itself --------------------------------------------------------------------------------


def test_a_verdict_can_be_asked_for_again() -> None:
    ledger = run(3)
    arrive(ledger, 2, 1)
    assert ledger.verdict() == ledger.verdict()


def test_examples_are_bounded() -> None:
    verdict = run(1000).verdict()
    assert verdict.lost == 1000 and len(verdict.examples["lost"]) == EXAMPLES_MAX


def test_every_fault_is_a_count_of_the_verdict() -> None:
    assert set(FAULTS) <= set(Verdict.__struct_fields__)


def test_the_module_is_pure() -> None:
    """No loop, socket, clock, logger, chance or process may come near the ledger; nor the router it judges."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert imported <= {"collections", "collections.abc", "typing", "msgspec"}
