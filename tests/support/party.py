"""A client of the hub as an editor would write it: logged in as itself, with its own keys and inboxes."""

import re
from datetime import datetime
from typing import Any

import msgspec

from router.core.directory import Client, Format, Naming
from tests.support.amqp import PATIENCE_SECONDS, Amqp, Arrived, Properties
from tests.support.messages import Body, encoded, message
from validators import Pack

MARK = "x-hub-possible-duplicate"
KINDS = ("message", "ack", "info")
KIND_OF = {"Report": "message", "Update": "message", "Cancel": "message", "Ack": "ack", "Error": "info"}
STATUS = {
    100: "DELIVERY_MODE_INCONSISTENCY",
    101: "NOT_ALLOWED_CONTENT_TYPE",
    102: "UNRECOGNIZED_MESSAGE_FORMAT",
    200: "SENDER_INCONSISTENCY",
    300: "INVALID_MESSAGE",
    400: "EXPIRED_MESSAGE_BEFORE_ROUTING",
    500: "DEAD_LETTER_QUEUED",
    501: "UNROUTABLE_MESSAGE",
    600: "MESSAGE_CONVERSION_ERROR",
}
UNAVAILABLE = "distributionID_could_not_be_extracted"
_REPORT_ID = re.compile(r"fr\.health\.hub_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DAY_SECONDS = 86_400


class Party:
    """One client: its connection is opened when it is first needed."""

    def __init__(self, client: Client, address: tuple[str, int, str, str], pack: Pack) -> None:
        self.client = client
        self.id = client.id
        self._address = address
        self._pack = pack
        self._amqp: Amqp | None = None

    @property
    def amqp(self) -> Amqp:
        if self._amqp is None:
            host, port, vhost, password = self._address
            self._amqp = Amqp(host, port, vhost, self.id, password)
        return self._amqp

    def another_connection(self) -> Amqp:
        """One more, the caller's to close."""
        host, port, vhost, password = self._address
        return Amqp(host, port, vhost, self.id, password)

    def close(self) -> None:
        if self._amqp is not None:
            self._amqp.close()
            self._amqp = None

    def inbox(self, kind: str) -> str:
        """The queue's name, by the protocol's table."""
        return f"{self.id}.{kind}" if self.client.naming is Naming.FLAT else f"{self.id}.in.{kind}"

    def key(self, kind: str) -> str:
        """The publish key, by the protocol's table."""
        return self.id if self.client.naming is Naming.FLAT else f"{self.id}.out.{kind}"

    # ---- sending ---------------------------------------------------------------------------------

    def message(self, recipient: "Party | str", kind: str = "Report", **more: Any) -> Body:
        """A valid message from this client."""
        return message(self.id, recipient.id if isinstance(recipient, Party) else recipient, kind, **more)

    def publish(
        self,
        body: Body | bytes,
        *,
        key: str | None = None,
        content_type: str | None = "application/json",
        delivery_mode: int | None = 2,
        amqp: Amqp | None = None,
        **properties: Any,
    ) -> bytes:
        """Writes a publish; `amqp.confirm` tells what became of it. Returns the bytes."""
        payload = body if isinstance(body, bytes) else encoded(body)
        if key is None:
            kind = "message" if isinstance(body, bytes) else KIND_OF.get(body.get("distributionKind", ""), "message")
            key = self.key(kind)
        given = Properties(content_type=content_type, delivery_mode=delivery_mode, **properties)
        (amqp or self.amqp).publish("hubsante", key, payload, given)
        return payload

    def send(self, body: Body | bytes, **how: Any) -> bytes:
        """Publishes and waits for the confirm: from then on the promise holds."""
        payload = self.publish(body, **how)
        assert self.amqp.confirm(), "the broker did not store it"
        return payload

    # ---- receiving -------------------------------------------------------------------------------

    def take(self, kind: str, patience_seconds: float = PATIENCE_SECONDS, *, settle: str = "ack") -> Arrived:
        """The next message of an inbox."""
        arrived = self.amqp.take(self.inbox(kind), patience_seconds, settle=settle)
        assert arrived is not None, f"nothing came to {self.inbox(kind)} in {patience_seconds} s"
        return arrived

    def take_many(self, kind: str, amount: int) -> list[Arrived]:
        """As `take`, for many; as quick as a consumer can be."""
        arrived = self.amqp.take_many(self.inbox(kind), amount)
        assert len(arrived) == amount, f"{len(arrived)} of {amount} came to {self.inbox(kind)}"
        return arrived

    def receives(self, payload: bytes, kind: str = "message", *, marked: bool = False) -> Arrived:
        """The next message of an inbox is this one, byte for byte."""
        arrived = self.take(kind)
        assert arrived.body == payload, f"in {self.inbox(kind)}, not {payload[:100]!r} but {arrived.body[-400:]!r}"
        assert is_marked(arrived) is marked
        assert arrived.properties.delivery_mode == 2
        assert arrived.properties.user_id is None
        return arrived

    def reported(self, code: int, reference: str, *words: str, marked: bool = False) -> Body:
        """The next message of the info inbox is the hub's error report of this code about this id; `words` are all in
        its cause. Returns its `error`."""
        error = self.report(code, *words, marked=marked)
        assert error["referencedDistributionID"] == reference, error
        return error

    def report(self, code: int, *words: str, marked: bool = False) -> Body:
        """As `reported`, about whatever it is."""
        arrived = self.take("info")
        written_in = self.client.wire_format
        text = arrived.body if written_in is Format.JSON else self._pack.xml.read_message(arrived.body).json
        body = msgspec.json.decode(text)
        error = error_of(body)
        assert self._pack.check_message(text) == ()
        assert error["errorCode"] == {"statusCode": code, "statusString": STATUS[code]}, error
        missing = [word for word in words if word not in error["errorCause"]]
        assert not missing, f"the cause does not name {missing}: {error['errorCause']}"
        assert _REPORT_ID.fullmatch(body["distributionID"])
        assert (body["senderID"], body["distributionKind"]) == ("fr.health.hub", "Error")
        assert body["descriptor"]["explicitAddress"]["explicitAddressValue"] == self.id
        sent, expires = (datetime.fromisoformat(body[name]) for name in ("dateTimeSent", "dateTimeExpires"))
        assert (expires - sent).total_seconds() == _DAY_SECONDS
        assert (arrived.properties.content_type, arrived.properties.delivery_mode) == (f"application/{written_in}", 2)
        assert is_marked(arrived) is marked
        return error


def is_marked(arrived: Arrived) -> bool:
    """Whether the hub says that it may be a copy."""
    return arrived.headers.get(MARK) is True


def error_of(body: Body) -> Body:
    """The `error` of an RS-ERROR."""
    error: Body = body["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["error"]
    return error
