"""The one date-time function of the hub: RFC 3339, in the Structs, the slow path, the router and the tests.

The law: an offset is required, `T` and `Z` may be lower case, a leap second (`:60`) and the year 0000 are refused, the
day must exist in its month. Digits are ASCII. A fraction may be of any length; beyond the microsecond it is dropped.
"""

import re
from datetime import datetime
from functools import lru_cache
from typing import Final

_DAY: Final = (
    r"(?!0000)[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    r"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_OFFSET: Final = rf"[+-]{_CLOCK}"

STRICT_WITHOUT_FRACTION: Final = rf"\A{_DAY}T{_CLOCK}:[0-5][0-9]{_OFFSET}\Z"
"""A regular expression that takes only date-times, and all in the national models' pattern but those of 29 February."""
STRICT: Final = rf"\A{_DAY}T{_CLOCK}:[0-5][0-9](?:\.[0-9]+)?(?:Z|{_OFFSET})\Z"
"""A regular expression that takes only date-times, and all but those of 29 February or in lower case."""

_SHAPE: Final = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]+)?(?:[Zz]|{_OFFSET})"
).fullmatch
_FRACTION_CHARACTERS: Final = 7  # the point and the microseconds
_LONGEST_REST: Final = _FRACTION_CHARACTERS + 6
_EPOCH: Final = datetime(1970, 1, 1)
_read: Final = datetime.fromisoformat


def parse_date_time(text: str) -> float:
    """Epoch seconds of an RFC 3339 date-time; ValueError (without the text) for anything else."""
    if _SHAPE(text) is not None:
        rest = text[19:]
        if len(rest) > _LONGEST_REST:  # what is remembered must be short
            rest = rest[:_FRACTION_CHARACTERS] + (rest[-1] if rest[-1] in "Zz" else rest[-6:])
        try:
            return (_read(text[:19]) - _EPOCH).total_seconds() - _correction(rest)
        except ValueError:
            pass
    raise ValueError("not an RFC 3339 date-time with its offset")


@lru_cache(maxsize=4096)
def _correction(rest: str) -> float:
    """What to take off the seconds of the text before its fraction and offset."""
    zulu = rest[-1] in "Zz"
    fraction, offset = (rest[:-1], "+00:00") if zulu else (rest[:-6], rest[-6:])
    seconds = int(offset[1:3]) * 3600 + int(offset[4:6]) * 60
    return (-seconds if offset[0] == "-" else seconds) - float(f"0{fraction[:_FRACTION_CHARACTERS]}")


def is_date_time(text: str) -> bool:
    """Whether `parse_date_time` reads it."""
    try:
        parse_date_time(text)
    except ValueError:
        return False
    return True
