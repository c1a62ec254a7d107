"""FastStream with fastjsonschema: a subscriber a queue that checks each message against the published schemas, then
publishes it on. What a team without time would write.

The schema is the envelope's with the one use case inside that the message names: no `oneOf` over all of them is tried.
"""

from pathlib import Path
from typing import Any

import fastjsonschema
import orjson
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue

from bench.job import ForwardJob
from bench.micro.rivals import message_schema
from bench.rivals.serving import ended, serve, url_of
from bench.steering import Steering, main
from router.core.names import INBOX_EXCHANGE
from validators import load_pack


class Checks:
    """The checks of a pack by use case, each compiled when its first message comes: in the run-up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._manifest = load_pack(folder).manifest
        self._cases = {case.root: case for case in self._manifest.use_cases}
        self._checks: dict[str, Any] = {}

    def check(self, body: bytes) -> None:
        """Raises what its libraries raise for a message that is not valid, KeyError for one of no use case."""
        document = orjson.loads(body)
        message = document["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
        root = next(name for name in message if name in self._cases)
        check = self._checks.get(root)
        if check is None:
            schema = message_schema(self._folder, self._manifest, self._cases[root])
            check = self._checks[root] = fastjsonschema.compile(schema, use_default=False, detailed_exceptions=False)
        check(document)


async def run(job: ForwardJob, steering: Steering) -> None:
    checks = Checks(Path(job.pack))
    broker = RabbitBroker(url_of(job), logger=None, default_channel=Channel(prefetch_count=job.prefetch))
    inboxes = RabbitExchange(INBOX_EXCHANGE, declare=False)

    async def forward(body: bytes, message: RabbitMessage) -> None:
        checks.check(body)
        raw = message.raw_message
        await broker.publish(
            body,
            exchange=inboxes,
            routing_key=job.inboxes[raw.routing_key or ""],
            persist=True,
            content_type=message.content_type,
            message_id=message.message_id,
        )

    for name in job.queues:
        queue = RabbitQueue(name, declare=False)
        broker.subscriber(queue, ack_policy=AckPolicy.NACK_ON_ERROR, decoder=_body, no_reply=True)(forward)
    await broker.start()
    try:
        await serve(steering, lambda: "")
    finally:
        await broker.stop()
    ended()


async def _body(message: RabbitMessage) -> bytes:
    """The body as it came: FastStream would else make an object of it, to be written again."""
    return bytes(message.body)


if __name__ == "__main__":
    main(ForwardJob, run)
