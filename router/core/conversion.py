"""A valid message in the format that its recipient reads (PROTOCOL.md, formats).

JSON and XML are two writings of one message: nothing is added, dropped or put in other words.
"""

from router.core.directory import Format
from router.core.refusals import cause, cause_of
from validators import Pack
from validators.xml import Unwritable

JSON_TYPE, XML_TYPE = "application/json", "application/xml"
CONTENT_TYPE = {Format.JSON: JSON_TYPE, Format.XML: XML_TYPE}


class NotConvertible(Exception):
    """The recipient's format cannot carry the message: 600, with `cause` for the sender."""

    def __init__(self, cause: str) -> None:
        super().__init__("not convertible")
        self.cause = cause


def converted(text: bytes, wanted: Format, pack: Pack, max_bytes: int) -> bytes:
    """`text`, the JSON of a valid message, in the wanted format. Raises NotConvertible."""
    try:
        body = text if wanted is Format.JSON else pack.xml.write_message(text)
    except Unwritable as error:
        raise NotConvertible(cause_of(error.faults)) from None
    if len(body) > max_bytes:
        raise NotConvertible(cause("converted_too_large", limit=max_bytes))
    return body
