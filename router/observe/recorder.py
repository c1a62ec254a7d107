"""What happened on the data path, as log lines and counts: the flow's observer.

Law: bound once at start, cheap per message, and no value of a payload but the ids, the parties and the use case.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from router.core import names
from router.core.decisions import Decision, Discard, Forward, Park, Refuse, Retry
from router.core.delivery import Delivery
from router.core.origin import attempt_of, is_transient
from router.core.outcomes import Kind, Outcome, Step
from router.core.outputs import Output
from router.core.refusals import Code, cut
from router.observe import events
from router.observe.logs import EventLog
from router.observe.metrics import Cell, Counts
from validators import NOMENCLATURE_RULE, Fault, field_of


class Recorder:
    """Observer of one vhost in one worker. Belongs to the event loop's thread."""

    def __init__(self, log: EventLog, counts: Counts, worker: int, vhost: str) -> None:
        self._write: Callable[[events.Event], None] = log.event
        self._worker, self._vhost, self._counts = worker, vhost, counts
        self._received = counts.cell("hubex_messages_received_total", vhost)
        self._forwarded = counts.cell("hubex_messages_forwarded_total", vhost)
        self._marked = counts.cell("hubex_possible_duplicates_total", vhost)
        self._unreported = counts.cell("hubex_unreported_total", vhost)
        self._misrouted = counts.cell("hubex_misrouted_copies_total", vhost)
        self._expired = counts.cell("hubex_messages_expired_total", vhost)
        self._delivery = counts.latency("hubex_delivery_seconds", vhost)
        self._confirm = counts.latency("hubex_confirm_seconds", vhost)
        self._outcomes: dict[tuple[Kind, Outcome], Cell] = {
            (kind, outcome): counts.cell("hubex_publishes_total", vhost, kind.name.lower(), outcome.name.lower())
            for kind in Kind
            for outcome in Outcome
        }
        self._bind_rare()
        self._at_seconds = 0.0
        self._at = datetime.now(UTC)

    def _bind_rare(self) -> None:
        """What alerts are on is there at 0 from the start: `increase` does not see a series' birth."""
        for code in Code:
            self._counts.cell("hubex_messages_refused_total", self._vhost, str(int(code)))
        for rung in names.RUNGS:
            self._counts.cell("hubex_messages_retried_total", self._vhost, rung.name)
        for reason in (names.REASON_UNKNOWN_KEY, names.REASON_POISON):
            self._counts.cell("hubex_messages_parked_total", self._vhost, reason)

    def received(self, delivery: Delivery, wall: float) -> None:
        """A delivery was decided. `wall` is epoch seconds."""
        self._received.n += 1
        if wall - self._at_seconds >= 0.001 or wall < self._at_seconds:
            self._at_seconds, self._at = wall, datetime.fromtimestamp(wall, UTC)
        facts = delivery.decision.facts
        body = delivery.body
        self._write(
            events.Received(
                at=self._at,
                worker=self._worker,
                vhost=self._vhost,
                distribution_id=facts.distribution_id,
                sender=facts.sender,
                recipient=facts.recipient,
                kind=facts.kind,
                use_case=facts.use_case,
                key=cut(delivery.decision.key),
                queue=delivery.queue,
                body_sha256=sha256(body).hexdigest(),
                body_bytes=len(body),
                attempt=attempt_of(delivery),
                redelivered=delivery.redelivered,
            )
        )

    def settled(self, delivery: Delivery, latency_seconds: float) -> None:
        """Every output of a delivery is done; its decision says what it became."""
        self._delivery.observe(latency_seconds)
        decision: Decision = delivery.decision
        if isinstance(decision, Forward):
            self._forwarded.n += 1
            if delivery.marked:
                self._marked.n += 1
            converted = decision.converted_to
            if converted is not None:
                self._counts.cell("hubex_messages_converted_total", self._vhost, converted.value).n += 1
            for warning in decision.warnings:
                self._warned(warning)
            facts = decision.facts
            self._write(
                events.Forwarded(
                    at=self._at,
                    worker=self._worker,
                    vhost=self._vhost,
                    distribution_id=facts.distribution_id,
                    sender=facts.sender,
                    recipient=facts.recipient,
                    kind=facts.kind,
                    use_case=facts.use_case,
                    key=decision.key,
                    queue=decision.queue,
                    body_bytes=len(delivery.body),
                    possible_duplicate=delivery.marked,
                    latency_ms=round(latency_seconds * 1000.0, 3),
                    not_persistent=is_transient(delivery),
                    converted=converted.value if converted is not None else "",
                    warnings=len(decision.warnings),
                )
            )
            return
        self._settled_otherwise(delivery, decision, round(latency_seconds * 1000.0, 3))

    def _warned(self, warning: Fault) -> None:
        """Both labels come from the pack: a field that draws on a list, and the list."""
        if warning.rule == NOMENCLATURE_RULE:
            labels = self._vhost, field_of(warning), warning.expected
            self._counts.cell("hubex_nomenclature_warnings_total", *labels).n += 1

    def _settled_otherwise(
        self, delivery: Delivery, decision: Refuse | Park | Discard | Retry, latency_ms: float
    ) -> None:
        vhost, cell = self._vhost, self._counts.cell
        facts = decision.facts
        common: dict[str, Any] = {
            "at": self._at,
            "worker": self._worker,
            "vhost": vhost,
            "distribution_id": facts.distribution_id,
            "sender": facts.sender,
            "recipient": facts.recipient,
            "kind": facts.kind,
            "use_case": facts.use_case,
            "key": cut(decision.key),
            "body_bytes": len(delivery.body),
            "possible_duplicate": delivery.marked,
        }
        if isinstance(decision, Refuse):
            cell("hubex_messages_refused_total", vhost, str(int(decision.code))).n += 1
            queue = decision.client.inbox(names.INFO) if decision.client is not None else ""
            if decision.client is None:
                self._unreported.n += 1
            self._write(
                events.Refused(
                    **common,
                    queue=queue,
                    status_code=int(decision.code),
                    reason=decision.code.name,
                    latency_ms=latency_ms,
                )
            )
        elif isinstance(decision, Park):
            cell("hubex_messages_parked_total", vhost, decision.reason).n += 1
            reported = int(Code.DEAD_LETTER_QUEUED) if decision.client is not None else 0
            self._write(
                events.Parked(
                    **common,
                    queue=names.PARKED,
                    status_code=reported,
                    reason=decision.reason,
                    latency_ms=latency_ms,
                )
            )
        elif isinstance(decision, Discard):
            self._discarded(decision, common)
        else:
            rung = names.RUNGS[min(attempt_of(delivery), len(names.RUNGS) - 1)].name
            cell("hubex_messages_retried_total", vhost, rung).n += 1
            self._write(events.Retried(**common, queue=rung, reason=decision.reason, latency_ms=latency_ms))

    def _discarded(self, decision: Discard, common: dict[str, Any]) -> None:
        self._counts.cell("hubex_messages_discarded_total", self._vhost, decision.reason).n += 1
        if decision.reason == names.REASON_PARKED_EXPIRED:
            self._expired.n += 1
            self._write(events.Expired(**common, reason=decision.reason))
            return
        if decision.reason == names.REASON_MISROUTED_COPY:
            self._misrouted.n += 1
        self._write(events.Discarded(**common, reason=decision.reason))

    def outcome(self, kind: Kind, outcome: Outcome, latency_seconds: float) -> None:
        """A publish ended, after `latency_seconds`."""
        self._outcomes[kind, outcome].n += 1
        self._confirm.observe(latency_seconds)

    def replaced(self, output: Output, outcome: Outcome, step: Step) -> None:
        """A publish did not end well; what follows is counted by what follows."""
        if step is Step.DONE_UNREPORTED:
            self._unreported.n += 1
            self.notice("warning", "report_undeliverable", "an error report has no inbox to go to", queue=output.queue)

    def bug(self, delivery: Delivery, error: BaseException) -> None:
        """Our own fault in a decision: the class and the place, never a value."""
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{where.tb_frame.f_code.co_name}:{where.tb_lineno}" if where is not None else ""
        self.notice(
            "error",
            "internal_error",
            "a decision failed: the message is parked",
            error=type(error).__name__,
            place=place,
            body_sha256=sha256(delivery.body).hexdigest(),
        )

    def notice(self, level: events.Level, name: str, text: str, **facts: events.Fact) -> None:
        """An operational fact of this vhost."""
        self._write(
            events.Notice(
                at=datetime.now(UTC),
                worker=self._worker,
                vhost=self._vhost,
                level=level,
                name=name,
                text=text,
                facts=facts,
            )
        )
