"""Text that others wrote, for a terminal: it cannot move the cursor, hide or forge a line. Pure."""

import re
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_INSTEAD: Final = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """One line: control characters replaced, line ends and tabs are blanks."""
    return _CONTROL.sub(_INSTEAD, text.replace("\n", " ").replace("\t", " ")).encode("utf-8", "replace").decode()


def printable_body(body: bytes) -> str:
    """A body: UTF-8 as far as it is, lines and tabs kept, other control characters replaced."""
    return _CONTROL.sub(_INSTEAD, body.decode("utf-8", "replace").replace("\r\n", "\n"))
