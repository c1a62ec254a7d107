"""The protocol's error codes (PROTOCOL.md, checks) and the sentences that go with them, French then English.

A cause names fields, queues and rules, never a payload value but ids, which are cut to `MAX_ID_CHARACTERS`.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from validators import Fault, error_cause

MAX_ID_CHARACTERS: Final = 256
"""Ids in logs, headers and causes are cut here: the models set no limit, a header and a log line need one."""


class Code(IntEnum):
    """Status codes that the hub itself sends; the names are the `statusString`s."""

    DELIVERY_MODE_INCONSISTENCY = 100
    NOT_ALLOWED_CONTENT_TYPE = 101
    UNRECOGNIZED_MESSAGE_FORMAT = 102
    SENDER_INCONSISTENCY = 200
    INVALID_MESSAGE = 300
    SCHEMA_NOT_FOUND = 301
    EXPIRED_MESSAGE_BEFORE_ROUTING = 400
    DEAD_LETTER_QUEUED = 500
    UNROUTABLE_MESSAGE = 501
    MESSAGE_CONVERSION_ERROR = 600


# name -> (French, English); placeholders are named in `cause`'s keyword arguments.
_SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "properties": (
        "Les propriétés AMQP du message sont illisibles, ou ses en-têtes trop longs.",
        "The message's AMQP properties cannot be read, or its headers are too long.",
    ),
    "too_large": (
        "Le message dépasse la taille permise ({limit} octets).",
        "The message exceeds the size allowed ({limit} bytes).",
    ),
    "content_type": (
        "Le content_type AMQP doit être application/json ou application/xml.",
        "The AMQP content_type must be application/json or application/xml.",
    ),
    "unreadable": (
        "Le message est valide mais son enveloppe n'a pu être lue.",
        "The message is valid but its envelope could not be read.",
    ),
    "copies": (
        "Un message a un seul destinataire : l'en-tête CC n'est pas permis.",
        "A message has one recipient: the CC header is not allowed.",
    ),
    "no_health_actor": (
        "Ni l'émetteur ni le destinataire n'est un acteur de santé (fr.health.).",
        "Neither the sender nor the recipient is a health actor (fr.health.).",
    ),
    "sender": (
        "senderID doit être le client dont la clé de routage porte le nom ({client}).",
        "senderID must be the client that the routing key names ({client}).",
    ),
    "sender_force": (
        "senderID doit appartenir à la force du hub émetteur (préfixe {prefix}).",
        "senderID must belong to the sending hub's own force (prefix {prefix}).",
    ),
    "not_persistent": (
        "Le message doit être persistant (delivery_mode = 2).",
        "The message must be persistent (delivery_mode = 2).",
    ),
    "id_prefix": (
        "distributionID doit commencer par l'identifiant de l'émetteur suivi de « _ » ({prefix}).",
        "distributionID must begin with the sender's id followed by '_' ({prefix}).",
    ),
    "kind_of_key": (
        "distributionKind {kind} ne se publie pas avec une clé en « .{used} » mais en « .{wanted} ».",
        "distributionKind {kind} is not published with a '.{used}' key but with a '.{wanted}' key.",
    ),
    "expired": (
        "dateTimeExpires est passé : le message n'est pas routé.",
        "dateTimeExpires is past: the message is not routed.",
    ),
    "no_inbox": (
        "Le destinataire n'a pas de file {queue} sur ce hub.",
        "The recipient has no queue {queue} on this hub.",
    ),
    "recipient_name": (
        "L'identifiant du destinataire ne peut nommer une file.",
        "The recipient's id cannot name a queue.",
    ),
    "converted_too_large": (
        "Converti au format de son destinataire, le message dépasse la taille permise ({limit} octets).",
        "Converted to its recipient's format, the message exceeds the size allowed ({limit} bytes).",
    ),
    "dead_letter": (
        "Le message n'a pas été remis : {reason} dans la file {queue}.",
        "The message was not delivered: {reason} in the queue {queue}.",
    ),
    "parked": (
        "Le message est mis de côté ({reason}) ; il peut encore être remis avant son expiration.",
        "The message is parked ({reason}); it may still be delivered before it expires.",
    ),
}


def cause(name: str, **facts: str | int) -> str:
    """The `errorCause` of a named refusal: French, then English after a slash."""
    french, english = _SENTENCES[name]
    return f"{french.format(**facts)} / {english.format(**facts)}"


def cause_of(faults: Sequence[Fault]) -> str:
    """The `errorCause` that tells what is wrong with a body: French, then English after a slash."""
    return f"{error_cause(faults, 'fr')} / {error_cause(faults, 'en')}"


def cut(identifier: str) -> str:
    """An id as it may be logged or repeated."""
    return identifier if len(identifier) <= MAX_ID_CHARACTERS else identifier[:MAX_ID_CHARACTERS]
