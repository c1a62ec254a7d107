"""Every name the hub has on the broker, and every header of its own: one place, so that no two rooms can
disagree.

Names are facts of the wire: changing one here orphans the queues that a running hub already has. The hub's
own headers are believed only on deliveries whose exchange is not `ENTRANCE` (clients cannot write to the
others).
"""

import re
from typing import Final

from msgspec import Struct

# ---- the hub itself ------------------------------------------------------------------------------
HUB_ID: Final = "fr.health.hub"  # the sender of error reports; no client may be called so
HEALTH_PREFIX: Final = "fr.health."  # with its trailing dot: `fr.healthy` is no health actor

# ---- exchanges -----------------------------------------------------------------------------------
ENTRANCE: Final = "hubsante"  # topic; the only exchange that clients write to
UNKNOWN_EXCHANGE: Final = "hub.unknown"  # fanout; the entrance's alternate exchange
SHARD_EXCHANGE: Final = "hub.shard"  # direct; routing key = shard queue name
INBOX_EXCHANGE: Final = "hub.inbox"  # direct; routing key = inbox queue name
DEAD_INBOX: Final = "hub.dead.inbox"  # fanout -> queue of the same name
DEAD_SHARD: Final = "hub.dead.shard"  # fanout -> queue of the same name
DEAD_PARKED: Final = "hub.dead.parked"  # fanout -> queue of the same name
PARKED: Final = "hub.parked"  # fanout -> queue of the same name
PROBE: Final = "hub.probe"  # fanout -> queue of the same name

# ---- queues that are not named as their exchange -------------------------------------------------
UNKNOWN_QUEUE: Final = "dispatch.unknown"
SHARD_QUEUE_PREFIX: Final = "dispatch."
HUB_PREFIXES: Final = ("hub.", SHARD_QUEUE_PREFIX)  # no client's queue or key may begin so

DEAD_QUEUES: Final = (DEAD_INBOX, DEAD_SHARD, DEAD_PARKED)


class Rung(Struct, frozen=True):
    """One step of the retry ladder: a fanout exchange and a queue, both called `name`, and how long a
    message rests there."""

    name: str
    ttl_ms: int


RUNGS: Final = (Rung("hub.retry.1s", 1_000), Rung("hub.retry.10s", 10_000), Rung("hub.retry.60s", 60_000))

# ---- kinds ---------------------------------------------------------------------------------------
MESSAGE: Final = "message"
ACK: Final = "ack"
INFO: Final = "info"
KINDS: Final = (MESSAGE, ACK, INFO)
KIND_OF_DISTRIBUTION: Final[dict[str, str]] = {
    "Report": MESSAGE,
    "Update": MESSAGE,
    "Cancel": MESSAGE,
    "Ack": ACK,
    "Error": INFO,
}
"""distributionKind -> inbox kind. A kind that is not here is for the envelope's check to refuse."""

# ---- headers of the hub's own --------------------------------------------------------------------
HUB_HEADER_PREFIX: Final = "x-hub-"
HEADER_KEY: Final = "x-hub-key"  # str: the routing key that the client published with
HEADER_ATTEMPT: Final = "x-hub-attempt"  # int: rungs climbed so far; absent means 0
HEADER_FIRST_SEEN: Final = "x-hub-first-seen"  # int: ms since the epoch
HEADER_ORIGIN: Final = "x-hub-origin"  # str: ORIGIN_CLIENT or ORIGIN_REPLAY
HEADER_PUBLISHED: Final = "x-hub-published"  # str: PUBLISHED_… words: what the client's own properties said
HEADER_POSSIBLE_DUPLICATE: Final = "x-hub-possible-duplicate"  # bool true: the mark
HEADER_PUBLISH: Final = "x-hub-publish"  # int: the lane's publish number
HEADER_CONVERSION: Final = "x-hub-conversion"  # str: the format it was converted to ("json", "xml"); absent: as it came
HEADER_REASON: Final = "x-hub-reason"  # str: why it is parked
HEADER_HISTORY: Final = "x-hub-history"  # str: short, without payload
HEADER_REFERENCE: Final = "x-hub-reference"  # str: distributionID, or its placeholder
HEADER_PARKED_AT: Final = "x-hub-parked-at"  # int: ms since the epoch
ORIGIN_CLIENT: Final = "client"
ORIGIN_REPLAY: Final = "replay"
PUBLISHED_COPIES: Final = "copies"  # with a CC header
PUBLISHED_TRANSIENT: Final = "transient"  # not persistent
NO_REFERENCE: Final = "distributionID_could_not_be_extracted"

# ---- reasons of parking that more than one room uses ---------------------------------------------
REASON_UNKNOWN_KEY: Final = "unknown_key"
REASON_POISON: Final = "poison"
REASON_BUG: Final = "internal_error"
REASON_INBOX_REMOVED: Final = "inbox_removed"

# ---- reasons of discarding that the log and the metrics tell apart -------------------------------
REASON_MISROUTED_COPY: Final = "misrouted_copy"
REASON_PARKED_EXPIRED: Final = "parked_expired"

# ---- AMQP's bound on a name or a key (a short string), in bytes ----------------------------------
NAME_MAX_BYTES: Final = 255


def in_out_key(client_id: str, kind: str) -> str:
    """The key an `in-out` client publishes with."""
    return f"{client_id}.out.{kind}"


def in_out_inbox(client_id: str, kind: str) -> str:
    """The queue an `in-out` client reads."""
    return f"{client_id}.in.{kind}"


def flat_inbox(client_id: str, kind: str) -> str:
    """The queue a `flat` client reads. (Its publish key is its id.)"""
    return f"{client_id}.{kind}"


def shard_queue(shard: int) -> str:
    """The queue of a shard; also its routing key on `SHARD_EXCHANGE`."""
    return f"{SHARD_QUEUE_PREFIX}{shard:02d}"


_SPECIAL = re.compile(r"[^A-Za-z0-9_\x80-\U0010ffff-]")


def escape(text: str) -> str:
    """`text` as a pattern of the broker (Erlang's `re`, a PCRE) that matches just itself, anywhere.

    Every ASCII sign but letters, digits, `_` and `-` gets a backslash: PCRE takes a backslash before any
    ASCII non-letter literally, and the braces' backslash also keeps topic permissions from expanding
    `{username}`.
    """
    return _SPECIAL.sub(r"\\\g<0>", text)


def exactly(*texts: str) -> str:
    """A pattern, anchored at both ends, that matches each of `texts` and nothing else; of nothing: `^$`.

    Texts that share a beginning stay written out one by one: a right is read by people, and it must be plain.
    """
    if len(texts) == 1:
        return f"^{escape(texts[0])}$"
    return f"^({'|'.join(escape(text) for text in texts)})$" if texts else "^$"
