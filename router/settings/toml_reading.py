"""Reading a TOML file into a plain table, with every failure as one line that says what was expected."""

import tomllib
from pathlib import Path
from typing import Any

from router.settings.strict import Fault


class Unreadable(Exception):
    """The file is not there, or not TOML. `fault` says so; the caller raises its own error with it."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def read_toml(path: Path) -> dict[str, Any]:
    """The file's table. A byte order mark is let pass. Raises Unreadable."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    except UnicodeDecodeError:
        problem = "is not UTF-8"
    except tomllib.TOMLDecodeError as error:
        problem = f"is not TOML ({error})"
    raise Unreadable(Fault(str(path), problem, "a readable TOML file in UTF-8"))
