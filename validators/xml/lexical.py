"""Texts and values: XML Schema's lexical forms of numbers and booleans, and the characters that XML 1.0 carries.

A text that is no number or boolean stays a text, so that the pack's own check names it (rule "type"). Blanks around a
number or boolean are no part of it (`whiteSpace` collapse); every other text is taken as it stands.
"""

import re
from typing import Final

BLANKS: Final = " \t\r\n"
"""XML's white space; Python's `strip` alone would take more."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,400}").fullmatch
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_SPECIAL: Final = re.compile(r"[&<>\r]")
_UNPLAIN: Final = re.compile("[^\t\n -%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]").search
_FORBIDDEN: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]").search
_NAME_START: Final = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f"
    "\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
is_name: Final = re.compile(f"[{_NAME_START}][{_NAME_START}0-9.\u00b7\u0300-\u036f\u203f\u2040-]*").fullmatch
"""Whether a field's name can be an element's (XML 1.0 fifth edition, without the colon)."""


def integer(text: str) -> int | float | str:
    """`xs:integer`, a double where 64 bits do not hold it; else the text."""
    stripped = text.strip(BLANKS)
    return _number_of(int(stripped), text) if _INTEGER(stripped) else text


def number(text: str) -> int | float | str:
    """`xs:double` without INF and NaN; else the text. What no double holds stays a text too."""
    stripped = text.strip(BLANKS)
    if _INTEGER(stripped):
        return _number_of(int(stripped), text)
    if not _NUMBER(stripped):
        return text
    value = float(stripped)
    return text if value in (float("inf"), float("-inf")) else value


def _number_of(value: int, text: str) -> int | float | str:
    if -(2**63) <= value < 2**64:
        return value
    try:
        return float(value)
    except OverflowError:
        return text


def boolean(text: str) -> bool | str:
    """`xs:boolean`: true, false, 1, 0; else the text."""
    return _BOOLEANS.get(text.strip(BLANKS), text)


def escaped(text: str) -> str | None:
    """The text as element content, or None: it has a character that XML 1.0 cannot carry."""
    if _UNPLAIN(text) is None:
        return text
    if _FORBIDDEN(text) is not None:
        return None
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)
