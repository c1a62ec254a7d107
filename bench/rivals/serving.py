"""What all rivals share: to which inbox a message goes, and how a rival's process is steered."""

from collections.abc import Callable

from bench.job import ForwardJob
from bench.steering import END, STATUS_SECONDS, STOP, Steering, tell


async def serve(steering: Steering, lost: Callable[[], str]) -> None:
    """Tell that it works, until told to stop. Raises ConnectionError once `lost` says why it does not any more."""
    while not (steering.said(STOP) or steering.said(END)):
        if why := lost():
            raise ConnectionError(why)
        tell({"connected": 1, "why": "", "done": False})
        await steering.wait(STATUS_SECONDS)


def ended() -> None:
    """The last word of a rival that has closed its connections."""
    tell({"connected": 0, "why": "", "done": True})


def url_of(job: ForwardJob) -> str:
    """The broker, as the router's user."""
    return str(job.target.address.url(job.target.router_user, job.target.router_password))
