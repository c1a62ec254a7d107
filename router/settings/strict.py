"""Strict reading of tables (TOML or JSON) into msgspec Structs: every fault found, each with its path and
what is allowed.

Nothing is guessed or converted: text is not a number, a wrong key is not ignored. No text value is ever
repeated in a fault, because it might be a secret; numbers are, where the field is not one.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, inspect
from msgspec.structs import FieldInfo, fields

S = TypeVar("S", bound=Struct)


class Fault(Struct, frozen=True):
    """One wrong place. `path` is like `broker.port` or `vhosts[1].pack`; `allowed` lists keys or values."""

    path: str
    problem: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; allowed: {self.allowed}"


class SettingsError(ValueError):
    """What an operator wrote cannot be used. `faults` has every reason, each printable in one line; none
    shows a text value. The message is one line."""

    def __init__(self, *faults: object, source: str = "") -> None:
        super().__init__((f"{source}: " if source else "") + "; ".join(str(fault) for fault in faults))
        self.faults = faults


def read_struct(cls: type[S], table: object, path: str, faults: list[Fault]) -> S | None:
    """`table` as a `cls`. Appends to `faults` everything that is wrong, and then returns None."""
    if not isinstance(table, Mapping):
        faults.append(Fault(path, f"is {_kind(table)}", f"a table with the keys {_listed(_names(cls))}"))
        return None
    before = len(faults)
    known = {field.encode_name: field for field in fields(cls)}
    values = {}
    for key, value in table.items():
        place = f"{path}.{key}" if path else str(key)
        if key not in known:
            faults.append(Fault(place, "unknown key", _listed(known)))
        else:
            values[known[key].name] = _read(known[key], value, place, faults)
    for field in known.values():
        if field.required and field.name not in values:
            place = f"{path}.{field.encode_name}" if path else field.encode_name
            faults.append(Fault(place, "is missing", describe(field.type)))
    return None if len(faults) > before else cls(**values)


def _read(field: FieldInfo, value: object, path: str, faults: list[Fault]) -> Any:
    info = _plain(inspect.type_info(field.type))
    if isinstance(info, inspect.StructType):
        return read_struct(info.cls, value, path, faults)
    if isinstance(info, inspect.VarTupleType) and isinstance(info.item_type, inspect.StructType):
        return _read_structs(info.item_type.cls, value, path, faults)
    try:
        return msgspec.convert(value, field.type, dec_hook=_decode_custom)
    except msgspec.ValidationError:
        shown = isinstance(value, (int, float)) and not is_secret(field)
        faults.append(Fault(path, f"is {value if shown else _kind(value)}", describe(field.type)))
        return None


def _read_structs(cls: type[Struct], value: object, path: str, faults: list[Fault]) -> Any:
    if not isinstance(value, list):
        faults.append(Fault(path, f"is {_kind(value)}", f"a list of tables with the keys {_listed(_names(cls))}"))
        return None
    return tuple(read_struct(cls, item, f"{path}[{index}]", faults) for index, item in enumerate(value))


def _decode_custom(cls: type, value: Any) -> Any:
    if cls is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError


def is_secret(field: FieldInfo) -> bool:
    """True for a field whose value is never shown."""
    info = inspect.type_info(field.type)
    return isinstance(info, inspect.Metadata) and bool((info.extra or {}).get("secret"))


def description(field: FieldInfo) -> str:
    """What a field means, as its Meta says."""
    info = inspect.type_info(field.type)
    return str((info.extra_json_schema or {}).get("description", "")) if isinstance(info, inspect.Metadata) else ""


def takes_text(field: FieldInfo) -> bool:
    """True when plain text can be a value of the field (and need not be quoted in an environment
    variable)."""
    info = _plain(inspect.type_info(field.type))
    options = info.types if isinstance(info, inspect.UnionType) else (info,)
    return any(isinstance(option, (inspect.StrType, inspect.EnumType, inspect.CustomType)) for option in options)


def describe(type_: Any) -> str:
    """What a field allows, in words."""
    return _describe(_plain(inspect.type_info(type_)))


def _describe(info: inspect.Type) -> str:
    match info:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number{_range(info.ge, info.le)}"
        case inspect.FloatType():
            return f"a number{_range(info.ge, info.le)}"
        case inspect.StrType(pattern=str() as pattern):
            return f"text like {pattern}"
        case inspect.StrType(min_length=int()):
            return "text that is not empty"
        case inspect.StrType():
            return "text"
        case inspect.CustomType():
            return "the path of a file"
        case inspect.EnumType():
            return _listed(member.value for member in info.cls if isinstance(member, Enum))
        case inspect.VarTupleType():
            return f"a list of: {_describe(_plain(info.item_type))}"
        case inspect.UnionType():
            return " or ".join(_describe(t) for t in info.types if not isinstance(t, inspect.NoneType))
        case _:
            return "a table"


def _plain(info: inspect.Type) -> inspect.Type:
    return info.type if isinstance(info, inspect.Metadata) else info


def _range(lowest: float | None, highest: float | None) -> str:
    if lowest is not None and highest is not None:
        return f" from {lowest} to {highest}"
    return f" of at least {lowest}" if lowest is not None else ""


def _names(cls: type[Struct]) -> Iterable[str]:
    return (field.encode_name for field in fields(cls))


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "text"),
    (int, "a number"),
    (float, "a number"),
    (list, "a list"),
    (Mapping, "a table"),
    (type(None), "null"),
)


def _kind(value: object) -> str:
    return next((name for cls, name in _KINDS if isinstance(value, cls)), "a date or time")
