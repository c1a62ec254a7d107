"""A plain forwarder with aiormq: a callback that publishes, awaits the confirm and acknowledges. It checks nothing."""

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from bench.job import ForwardJob
from bench.rivals.serving import ended, serve, url_of
from bench.steering import Steering, main
from router.core.names import INBOX_EXCHANGE


async def run(job: ForwardJob, steering: Steering) -> None:
    connection = await aiormq.connect(url_of(job))
    try:
        out = await connection.channel(publisher_confirms=True)
        for queue in job.queues:
            await _consume(job, queue, await connection.channel(), out)
        await serve(steering, lambda: "the connection closed" if connection.is_closed else "")
    finally:
        await connection.close()
    ended()


async def _consume(job: ForwardJob, queue: str, channel: AbstractChannel, out: AbstractChannel) -> None:
    async def forward(message: DeliveredMessage) -> None:
        delivery = message.delivery
        assert isinstance(delivery, Basic.Deliver)  # it is consumed
        await out.basic_publish(
            message.body,
            exchange=INBOX_EXCHANGE,
            routing_key=job.inboxes[str(delivery.routing_key)],
            properties=message.header.properties,
            mandatory=True,
        )
        await channel.basic_ack(int(delivery.delivery_tag or 0))

    await channel.basic_qos(prefetch_count=job.prefetch)
    await channel.basic_consume(queue, forward)


if __name__ == "__main__":
    main(ForwardJob, run)
