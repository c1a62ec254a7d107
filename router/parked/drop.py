"""Drop: parked messages are taken out of the queue for good, by name and never by all."""

from collections.abc import AsyncGenerator, Callable

from router.parked.message import Parked
from router.parked.store import opened
from router.settings.config import Config


async def drop(config: Config, vhost: str, wanted: Callable[[Parked], bool]) -> AsyncGenerator[Parked, None]:
    """Drops what is wanted, one by one; yields each after it was settled. Raises BrokerRefusal,
    SettingsError."""
    async with opened(config, vhost) as queue:
        async for held in queue.look():
            if wanted(held.parked):
                await queue.settle(held)
                yield held.parked
