"""What can be decided on a delivery, as data: `Forward | Refuse | Retry | Park | Discard`."""

from msgspec import Struct

from router.core.directory import Client, Format
from router.core.refusals import Code
from validators import Fault


class Facts(Struct, frozen=True, gc=False):
    """What a log line may tell of a message; ids are cut. Empty where nothing could be read."""

    distribution_id: str = ""
    sender: str = ""
    recipient: str = ""
    kind: str = ""
    use_case: str = ""


class Forward(Struct, frozen=True):
    """To the inbox `queue`. `expiration_ms` None: the inbox TTL rules. `body` is the delivery's own, byte for byte,
    unless it was `converted_to` another format."""

    queue: str
    expiration_ms: int | None
    body: bytes
    converted_to: Format | None
    warnings: tuple[Fault, ...]
    client: Client
    key: str
    facts: Facts


class Refuse(Struct, frozen=True):
    """Settled with an RS-ERROR to `client` (None: nobody is left to report to)."""

    code: Code
    cause: str
    reference: str
    client: Client | None
    key: str
    facts: Facts


class Retry(Struct, frozen=True):
    """The input climbs the ladder."""

    reason: str
    key: str
    facts: Facts


class Park(Struct, frozen=True):
    """The input is parked and, where `client` is known, reported as 500."""

    reason: str
    reference: str
    client: Client | None
    key: str
    facts: Facts


class Discard(Struct, frozen=True):
    """Settled and counted, nothing is sent: copies, dead reports, what expired while parked."""

    reason: str
    key: str
    facts: Facts


Decision = Forward | Refuse | Retry | Park | Discard
