"""The clients directory as a file: `[[client]]` tables in TOML, read strictly, written atomically.

Also the import of the deployed CSV. Every wrong table, line and name is listed, not just the first.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import fields, replace

from router.core.directory import Client, Format, Naming, faults_of
from router.settings.atomic import write_atomically
from router.settings.strict import Fault, SettingsError, read_struct
from router.settings.toml_reading import Unreadable, read_toml


class DirectoryFileError(SettingsError):
    """The clients directory (or what should be imported into it) cannot be used. Faults are Fault or
    DirectoryFault."""


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    client: tuple[Client, ...] = ()


def read_directory(path: Path, extra_ids: Iterable[str] = ()) -> tuple[Client, ...]:
    """All clients of the file, checked: ids, duplicates, colliding names. Raises DirectoryFileError."""
    try:
        table = read_toml(path)
    except Unreadable as error:
        raise DirectoryFileError(error.fault) from None
    faults: list[Fault] = []
    file = read_struct(_File, table, "", faults)
    if file is None:
        raise DirectoryFileError(*faults, source=str(path))
    if wrong := faults_of(file.client, extra_ids):
        raise DirectoryFileError(*wrong, source=str(path))
    return file.client


def write_directory(path: Path, clients: Sequence[Client]) -> None:
    """Replaces the file by these clients, in their order; keys at their default are left out.

    Comments at the head of the old file are kept, others are not. Raises OSError; then nothing changed.
    """
    tables = [*_head(path), *("\n".join(_table(client)) + "\n" for client in clients)]
    write_atomically(path, "\n".join(tables).encode())


def _head(path: Path) -> Iterable[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
    kept = 0
    while kept < len(lines) and lines[kept].startswith("#"):
        kept += 1
    return ("\n".join(lines[:kept]) + "\n",) if kept else ()


def _table(client: Client) -> Iterable[str]:
    yield "[[client]]"
    for field in fields(client):
        value = getattr(client, field.name)
        if field.required or value != field.default:
            yield f"{field.name} = {_literal(value)}"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(_literal(item) for item in value)}]"
    # JSON's text is TOML's basic string, but for DEL, which TOML wants escaped.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")


# ---- the deployed CSV ----------------------------------------------------------------------------

CSV_COLUMNS: Final = ("client_id", "useXML", "directCISU", "editor")
_FLAGS: Final = {
    **dict.fromkeys(("true", "1", "yes", "oui"), True),
    **dict.fromkeys(("false", "0", "no", "non"), False),
}


def import_deployed_csv(text: str, extra_ids: Iterable[str] = ()) -> tuple[Client, ...]:
    """The clients of a deployed directory, `client_id;useXML;directCISU;editor`, all with naming `flat`.

    A header line (columns in any order), a byte order mark, CRLF and empty lines are let pass.
    Raises DirectoryFileError with every wrong line.
    """
    lines, faults = _csv_lines(text)
    columns: Sequence[str] = CSV_COLUMNS
    clients: dict[int, Client] = {}
    for index, (number, cells) in enumerate(lines):
        if index == 0 and "client_id" in (cell.lower() for cell in cells):
            columns = _header(number, cells, faults)
        elif client := _csv_client(number, columns, cells, faults):
            clients[number] = client
    if not faults:
        faults.extend(_wrong_ids(clients, extra_ids))
    if faults:
        raise DirectoryFileError(*faults)
    return tuple(clients.values())


def merge_imported(
    clients: Sequence[Client], imported: Sequence[Client], extra_ids: Iterable[str] = ()
) -> tuple[Client, ...]:
    """`clients` with what a deployed CSV says of them, new ones at the end. Nobody is taken away.

    A client that is there already keeps its naming, vhosts and test mark: the CSV does not know them.
    Raises DirectoryFileError when the two together cannot be one directory.
    """
    told = {client.id: client for client in imported}
    merged = [_updated(client, told.pop(client.id, client)) for client in clients]
    merged.extend(told.values())
    if faults := faults_of(merged, extra_ids):
        raise DirectoryFileError(*faults)
    return tuple(merged)


def _updated(client: Client, told: Client) -> Client:
    form = client.format if client.wire_format is told.wire_format else told.format
    return replace(client, editor=told.editor, direct_cisu=told.direct_cisu, format=form)


def _csv_lines(text: str) -> tuple[list[tuple[int, list[str]]], list[Fault]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";", strict=True)
    lines: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                lines.append((reader.line_num, cells))
    except csv.Error as error:
        return lines, [Fault(f"line {reader.line_num}", f"is not CSV ({error})", ";".join(CSV_COLUMNS))]
    return lines, []


def _header(number: int, cells: list[str], faults: list[Fault]) -> Sequence[str]:
    known = {column.lower(): column for column in CSV_COLUMNS}
    columns = [known.get(cell.lower(), cell) for cell in cells]
    if sorted(columns) != sorted(CSV_COLUMNS):
        faults.append(Fault(f"line {number}", "is another header", ";".join(CSV_COLUMNS)))
        return CSV_COLUMNS
    return columns


def _csv_client(number: int, columns: Sequence[str], cells: list[str], faults: list[Fault]) -> Client | None:
    if len(cells) != len(columns):
        faults.append(Fault(f"line {number}", f"has {len(cells)} fields", f"{len(columns)}: {';'.join(columns)}"))
        return None
    row = dict(zip(columns, cells, strict=True))
    flags = {column: _FLAGS.get(row[column].lower()) for column in ("useXML", "directCISU")}
    wrong = [column for column, flag in flags.items() if flag is None]
    if wrong:
        problem = f"{' and '.join(wrong)} cannot be read"
        faults.append(Fault(f"line {number}", problem, ", ".join(_FLAGS)))
        return None
    return Client(
        id=row["client_id"],
        editor=row["editor"],
        naming=Naming.FLAT,
        format=Format.XML if flags["useXML"] else Format.JSON,
        direct_cisu=bool(flags["directCISU"]),
    )


def _wrong_ids(clients: dict[int, Client], extra_ids: Iterable[str]) -> Iterable[Fault]:
    """Faults of the ids with the (last) line that each is on."""
    line = {client.id: number for number, client in clients.items()}
    for fault in faults_of(clients.values(), extra_ids):
        yield Fault(f"line {line[fault.client_id]}", str(fault), "ids that differ and keep to the rules")
