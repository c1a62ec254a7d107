"""Messages of our own writing to try a hub with: invented people and places, shaped by the v3 models."""

from importlib.resources import files
from typing import Final

RC_EDA: Final = "rc_eda.json"
"""A fire-service case passed on to the medical service: `fr.fire.nexsis.sdis-50` to `fr.health.hub.samu050`."""


def sample(name: str) -> bytes:
    """The body of a sample. Its ids and dates are old: `bodies.readdressed` makes it a new message."""
    return files(__package__ or "router.client.samples").joinpath(name).read_bytes()
