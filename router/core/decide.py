"""The decision: `(delivery, rules, now) -> Forward | Refuse | Retry | Park | Discard`.

Pure; the checks of PROTOCOL.md in their order.

Law: every delivery gets exactly one decision, whatever its bytes. A message is forwarded as it came, or in the other
format when its recipient reads that one.
"""

from collections.abc import Callable
from typing import Final

from router.core import names
from router.core.conversion import NotConvertible, converted
from router.core.decisions import Decision, Discard, Facts, Forward, Park, Refuse, Retry
from router.core.delivery import Delivery, Role
from router.core.directory import Format, KeyOwner
from router.core.envelope import Envelope, reference_id, scan_reference
from router.core.origin import client_key, death, has_copies, is_transient, written_in
from router.core.reading import Unread, read, read_envelope
from router.core.refusals import Code, cause, cut
from router.core.rules import POISON_PARK_COUNT, Rules

_NOTHING: Final = Facts()


def decide(delivery: Delivery, rules: Rules, now: float) -> Decision:
    """The one decision on a delivery. `now` is epoch seconds."""
    if delivery.delivery_count >= POISON_PARK_COUNT and delivery.role is not Role.DEAD_PARKED:
        return park(delivery, rules, names.REASON_POISON)
    return _BY_ROLE[delivery.role](delivery, rules, now)


def park(delivery: Delivery, rules: Rules, reason: str, facts: Facts = _NOTHING) -> Park:
    """Parked without decoding the body: the reference is scanned from the raw bytes (DELIVERY.md 6)."""
    key = client_key(delivery)
    owner = rules.directory.sender_of_key(key)
    reference = facts.distribution_id or scan_reference(delivery.body)
    return Park(reason, reference, owner.client if owner else None, key, facts)


def unroutable(forward: Forward) -> Refuse:
    """The recipient's inbox does not exist: the mandatory publish came back."""
    return Refuse(
        Code.UNROUTABLE_MESSAGE,
        cause("no_inbox", queue=forward.queue),
        forward.facts.distribution_id or names.NO_REFERENCE,
        forward.client,
        forward.key,
        forward.facts,
    )


# ---- a client's message in its shard -------------------------------------------------------------


def _from_shard(delivery: Delivery, rules: Rules, now: float) -> Decision:
    key = client_key(delivery)
    owner = rules.directory.sender_of_key(key)
    if owner is None:
        # The directory at hand may be older than the topology: the ladder gives a reload a minute, then it is parked.
        return Retry(names.REASON_UNKNOWN_KEY, key, _NOTHING)
    client = owner.client
    if delivery.exchange == names.ENTRANCE and not rules.topology.owns(client.id, delivery.shard):
        return Discard(names.REASON_MISROUTED_COPY, key, _NOTHING)
    refused = _refused_unread(delivery, rules)
    form = written_in(delivery.properties, client)
    if refused is None and form is not None:
        return _read(delivery, form, rules, now, owner, key)
    code, text = refused or (Code.NOT_ALLOWED_CONTENT_TYPE, cause("content_type"))
    return Refuse(code, text, reference_id(delivery.body), client, key, _NOTHING)


def _refused_unread(delivery: Delivery, rules: Rules) -> tuple[Code, str] | None:
    """Checks that need no body, in order; the content type comes after them."""
    if delivery.properties is None:
        return Code.INVALID_MESSAGE, cause("properties")
    if has_copies(delivery):
        return Code.SENDER_INCONSISTENCY, cause("copies")
    if len(delivery.body) > rules.max_message_bytes:
        return Code.INVALID_MESSAGE, cause("too_large", limit=rules.max_message_bytes)
    return None


def _read(delivery: Delivery, form: Format, rules: Rules, now: float, owner: KeyOwner, key: str) -> Decision:
    """Parse, validate, then the checks on what was read."""
    found = read(delivery.body, form, rules.pack)
    if isinstance(found, Unread):
        return Refuse(found.code, found.cause, found.reference, owner.client, key, _facts(found.envelope))
    envelope = found.envelope
    facts = _facts(envelope, found.use_cases[0])
    recipient = envelope.recipient
    kind = names.KIND_OF_DISTRIBUTION[envelope.distributionKind]
    left_ms = (found.expires - now) * 1000.0
    refused = (
        _refused_sender(envelope, recipient, delivery, owner)
        or _refused_kind(envelope, kind, owner)
        or ((Code.EXPIRED_MESSAGE_BEFORE_ROUTING, cause("expired")) if left_ms <= 0.0 else None)
        or _refused_recipient(recipient, rules, kind)
    )
    known = rules.directory.by_id.get(recipient)
    converted_to = known.wire_format if known is not None and known.wire_format is not form else None
    body = delivery.body
    if refused is None and converted_to is not None:
        try:
            body = converted(found.text, converted_to, rules.pack, rules.max_message_bytes)
        except NotConvertible as error:
            refused = Code.MESSAGE_CONVERSION_ERROR, error.cause
    if refused is not None:
        reference = facts.distribution_id or names.NO_REFERENCE
        return Refuse(refused[0], refused[1], reference, owner.client, key, facts)
    expiration_ms = max(1, int(left_ms)) if left_ms < rules.inbox_ttl_ms else None
    queue = rules.directory.inbox(recipient, kind)
    return Forward(queue, expiration_ms, body, converted_to, found.warnings, owner.client, key, facts)


def _facts(envelope: Envelope | None, use_case: str = "") -> Facts:
    if envelope is None:
        return _NOTHING
    return Facts(
        cut(envelope.distributionID),
        cut(envelope.senderID),
        cut(envelope.recipient),
        envelope.distributionKind,
        use_case,
    )


def _refused_sender(envelope: Envelope, recipient: str, delivery: Delivery, owner: KeyOwner) -> tuple[Code, str] | None:
    sender, client = envelope.senderID, owner.client
    if not (sender.startswith(names.HEALTH_PREFIX) or recipient.startswith(names.HEALTH_PREFIX)):
        return Code.UNROUTABLE_MESSAGE, cause("no_health_actor")
    if client.is_health:
        if sender != client.id:
            return Code.SENDER_INCONSISTENCY, cause("sender", client=client.id)
        if is_transient(delivery):
            return Code.DELIVERY_MODE_INCONSISTENCY, cause("not_persistent")
        if not envelope.distributionID.startswith(f"{sender}_"):
            return Code.INVALID_MESSAGE, cause("id_prefix", prefix=f"{client.id}_")
    elif sender != client.id:
        prefix = force_prefix(client.id)
        if not sender.startswith(prefix) or sender.startswith(names.HEALTH_PREFIX):
            return Code.SENDER_INCONSISTENCY, cause("sender_force", prefix=prefix)
    return None


def force_prefix(client_id: str) -> str:
    """The prefix that senders behind a partner hub share: the first two words of its id (`fr.fire.`)."""
    return ".".join(client_id.split(".")[:2]) + "."


def _refused_kind(envelope: Envelope, kind: str, owner: KeyOwner) -> tuple[Code, str] | None:
    if owner.kind is None or owner.kind == kind:
        return None
    text = cause("kind_of_key", kind=envelope.distributionKind, used=owner.kind, wanted=kind)
    return Code.INVALID_MESSAGE, text


def _refused_recipient(recipient: str, rules: Rules, kind: str) -> tuple[Code, str] | None:
    if recipient in rules.directory:
        return None
    # Not in the directory: the publish will come back, if its key can be written at all.
    if len(rules.directory.inbox(recipient, kind).encode("utf-8", "replace")) > names.NAME_MAX_BYTES:
        return Code.UNROUTABLE_MESSAGE, cause("recipient_name")
    return None


# ---- the other queues ----------------------------------------------------------------------------


def _from_unknown(delivery: Delivery, rules: Rules, now: float) -> Decision:
    """ACCEPTANCE 30: a key bound to no client is parked; a replay decides anew, by the directory of then."""
    return park(delivery, rules, names.REASON_UNKNOWN_KEY)


def _from_dead_inbox(delivery: Delivery, rules: Rules, now: float) -> Decision:
    """What an inbox dead-lettered: 500 to the sender, but never about an error report."""
    key = client_key(delivery)
    owner = rules.directory.sender_of_key(key)
    form = written_in(delivery.properties, owner.client if owner else None) or Format.JSON
    found = read_envelope(delivery.body, form, rules.pack)
    facts = _facts(found[0] if found else None)
    if facts.kind == "Error":
        return Discard("dead_report", key, facts)
    reason, queue = death(delivery)
    reference = facts.distribution_id or reference_id(delivery.body)
    text = cause("dead_letter", reason=reason, queue=queue)
    return Refuse(Code.DEAD_LETTER_QUEUED, text, reference, owner.client if owner else None, key, facts)


def _from_dead_shard(delivery: Delivery, rules: Rules, now: float) -> Decision:
    """The broker's own delivery limit struck (DELIVERY.md 6): parked without decoding."""
    return park(delivery, rules, names.REASON_POISON)


def _from_dead_parked(delivery: Delivery, rules: Rules, now: float) -> Decision:
    """Parked for as long as it may be (DELIVERY.md 7): gone with a log line and a count."""
    properties = delivery.properties
    reference = properties.text(names.HEADER_REFERENCE) if properties is not None else ""
    return Discard(names.REASON_PARKED_EXPIRED, client_key(delivery), Facts(distribution_id=cut(reference)))


_BY_ROLE: Final[dict[Role, Callable[[Delivery, Rules, float], Decision]]] = {
    Role.SHARD: _from_shard,
    Role.UNKNOWN: _from_unknown,
    Role.DEAD_INBOX: _from_dead_inbox,
    Role.DEAD_SHARD: _from_dead_shard,
    Role.DEAD_PARKED: _from_dead_parked,
}
