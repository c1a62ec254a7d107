"""The fault collection: walks a refused value along the model's nodes and lists everything that is wrong with it.

Agrees with the verdict (`verdict`): it finds a fault exactly when that refuses. The tests hold both to it.
"""

from typing import Any

from validators.dates import is_date_time
from validators.faults import Findings, field_path, kind_of
from validators.nodes import Array, Boolean, Node, Number, Object, Text


def collect(value: Any, node: Node, path: str, findings: Findings) -> None:
    """Add every fault of `value` below `path`."""
    match node:
        case Object():
            _object(value, node, path, findings)
        case Array():
            _array(value, node, path, findings)
        case Text():
            _text(value, node, path, findings)
        case Number():
            _number(value, node, path, findings)
        case Boolean():
            if not isinstance(value, bool):
                findings.add(path, "type", "boolean", kind_of(value))


def expected_kind(node: Node) -> str:
    """The JSON kind that a node takes."""
    match node:
        case Object():
            return "object"
        case Array():
            return "array"
        case Text():
            return "string"
        case Number(integer):
            return "integer" if integer else "number"
    return "boolean"


def _object(value: Any, node: Object, path: str, findings: Findings) -> None:
    if not isinstance(value, dict):
        findings.add(path, "type", "object", kind_of(value))
        return
    for name, inner in node.fields.items():
        if name in value:
            collect(value[name], inner, field_path(path, name), findings)
        elif name in node.required:
            findings.add(field_path(path, name), "required", expected_kind(inner), "missing")
    if node.closed and not value.keys() <= node.fields.keys():
        allowed = ", ".join(node.fields)
        for name in value:
            if name not in node.fields:
                where = path if findings.full() else field_path(path, name)
                findings.add(where, "unknown", allowed, kind_of(value[name]))


def _array(value: Any, node: Array, path: str, findings: Findings) -> None:
    if not isinstance(value, list):
        findings.add(path, "type", "array", kind_of(value))
        return
    if len(value) < node.min_items:
        findings.add(path, "min_items", str(node.min_items), "array")
    if node.max_items is not None and len(value) > node.max_items:
        findings.add(path, "max_items", str(node.max_items), "array")
    for index, item in enumerate(value):
        collect(item, node.items, f"{path}[{index}]", findings)


def _text(value: Any, node: Text, path: str, findings: Findings) -> None:
    if not isinstance(value, str):
        findings.add(path, "type", "string", kind_of(value))
        return
    if node.codes is not None and value not in node.codes:
        findings.add(path, "enum", ", ".join(node.codes), "string")
    if node.matcher is not None and not node.matcher.search(value):
        findings.add(path, "pattern", node.pattern or "", "string")
    elif node.date_time and not is_date_time(value):
        findings.add(path, "format", "date-time", "string")


def _number(value: Any, node: Number, path: str, findings: Findings) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        findings.add(path, "type", expected_kind(node), kind_of(value))
    elif node.integer and isinstance(value, float) and not value.is_integer():
        findings.add(path, "type", "integer", "number")
