"""A table of settings as TOML: sections, lists of tables, plain values."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def settings_toml(table: Mapping[str, Any]) -> str:
    """TOML text of `section -> {key: value}` and `section -> [{key: value}, ...]`."""
    return "\n".join("".join(f"{line}\n" for line in lines) for lines in _blocks(table))


def _blocks(table: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, value in table.items():
        header, entries = (f"[{name}]", [value]) if isinstance(value, Mapping) else (f"[[{name}]]", value)
        for entry in entries:
            yield [header, *(f"{key} = {_literal(item)}" for key, item in entry.items())]


def _literal(value: Any) -> str:
    # JSON's text is TOML's, for strings without DEL, numbers, booleans and lists of them.
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
