"""A plain forwarder with aio-pika: `message.process()` around a publish, as in its documentation. It checks nothing."""

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from bench.job import ForwardJob
from bench.rivals.serving import ended, serve, url_of
from bench.steering import Steering, main
from router.core.names import INBOX_EXCHANGE


async def run(job: ForwardJob, steering: Steering) -> None:
    connection = await aio_pika.connect(url_of(job))
    try:
        out = await connection.channel(publisher_confirms=True)
        exchange = await out.get_exchange(INBOX_EXCHANGE, ensure=False)
        for name in job.queues:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=job.prefetch)
            queue = await channel.get_queue(name, ensure=False)
            await queue.consume(lambda message: _forward(job, exchange, message))
        await serve(steering, lambda: "the connection closed" if connection.is_closed else "")
    finally:
        await connection.close()
    ended()


async def _forward(job: ForwardJob, exchange: AbstractExchange, message: AbstractIncomingMessage) -> None:
    async with message.process():
        outgoing = aio_pika.Message(
            message.body,
            headers=message.headers,
            content_type=message.content_type,
            delivery_mode=message.delivery_mode,
            message_id=message.message_id,
        )
        await exchange.publish(outgoing, routing_key=job.inboxes[message.routing_key or ""])


if __name__ == "__main__":
    main(ForwardJob, run)
