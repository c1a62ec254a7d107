"""The pack against the tables of facts, and against the published samples, where they are at hand."""

import csv
from typing import Any

import pytest

from tests.validators.support import REFERENCE, accept, content_bytes, dumped, envelope_of, pack, read, wrapped
from validators.nodes import Array, Boolean, Node, Number, Object, Text

FACTS = REFERENCE / "models" / "v3"
SAMPLES = REFERENCE / "samples"
pytestmark = pytest.mark.skipif(not FACTS.is_dir(), reason="the reference facts are not beside this checkout")


def rows(name: str) -> list[dict[str, str]]:
    with (FACTS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def roots() -> dict[str, Object]:
    checks = pack()._checks
    found = {model.name: model.node for _, model in checks._use_cases.values()}
    return {**found, "EDXL-DE-envelope-only": checks._envelope.node, "RC-DE": checks._header.node}


def classes_of(node: Node, found: dict[str, Object]) -> dict[str, Object]:
    if isinstance(node, Array):
        classes_of(node.items, found)
    elif isinstance(node, Object) and node.name not in found:
        found[node.name] = node
        for inner in node.fields.values():
            classes_of(inner, found)
    return found


def described(node: Node, required: bool, codes: dict[str, tuple[str, ...]]) -> tuple[Any, ...]:
    repeats, low, high = isinstance(node, Array), "", ""
    if isinstance(node, Array):
        low, high = str(node.min_items or ""), str(node.max_items or "")
        node = node.items
    pattern = form = listed = ""
    match node:
        case Object(name):
            kind = f"class:{name}"
        case Text():
            kind, pattern, form = "string", node.pattern or "", "date-time" if node.date_time else ""
            listed = ",".join(node.codes or ())
        case Number(integer):
            kind = "integer" if integer else "number"
        case Boolean():
            kind = "boolean"
        case _:
            raise AssertionError(node)
    return ("yes" if required else "no", "yes" if repeats else "no", low, high, kind, pattern, form, listed)


def test_every_field_is_as_in_the_tables() -> None:
    codes: dict[str, tuple[str, ...]] = {}
    for row in rows("codes.csv"):
        codes[row["list"]] = (*codes.get(row["list"], ()), row["code"])
    expected: dict[tuple[str, str], list[Any]] = {}
    for row in rows("fields.csv"):
        facts = [row[k] for k in ("required", "repeats", "min_items", "max_items", "type", "pattern", "format")]
        listed = ",".join(codes[row["codes"]]) if row["codes"] else ""
        expected.setdefault((row["model"], row["class"]), []).append((row["field"], (*facts, listed)))
    for row in rows("classes.csv"):
        model, name = row["model"], row["class"]
        root = roots()[model]
        node = root if name == "(root)" else classes_of(root, {}).get(name)
        assert node is not None, (model, name)
        if name == "EmbeddedJsonContent":
            continue  # open; `message` is ours to check
        assert node.closed is (row["unknown_fields"] == "closed"), (model, name)
        found = [(field, described(inner, field in node.required, codes)) for field, inner in node.fields.items()]
        wanted = expected.get((model, name), [])
        if model.startswith("EDXL"):  # its order is the protocol's, for XML
            found.sort()
            wanted.sort()
        assert found == wanted, (model, name)


def test_use_cases_are_as_in_the_table() -> None:
    manifest = pack().manifest
    found = {(case.model, case.root, "yes" if case.header else "no", case.namespace) for case in manifest.use_cases}
    found.add((manifest.header.model, manifest.header.root, "no", manifest.header.namespace))
    assert found == {tuple(row.values()) for row in rows("use_cases.csv")}


def test_published_samples_are_accepted() -> None:
    seen = 0
    for path in sorted(SAMPLES.glob("examples/*/*.json")):
        body = read(path)
        whole = body if "content" in body else wrapped(*next(iter(body.items())))
        assert pack().check_message(dumped(whole)) == (), path.name
        if "RS-ERROR" not in path.name:  # it carries an open class
            assert accept(content_bytes(whole)) is not None, path.name
        seen += 1
    for path in sorted(SAMPLES.glob("valid/*/*.json")):
        body = read(path)
        whole = body if "content" in body else wrapped("technical", body)
        assert pack().check_message(dumped(whole)) == (), path.name
        seen += 1
    assert seen > 60


EXPECTED = {
    "error-in-RC-DE": 1,
    "error-in-envelope-and-RC-DE": 3,
    "error-in-envelope-and-content": 3,
    "multiple-errors-in-RC-DE": 3,
    "multiple-errors-in-envelope": 6,
    "too-many-schemas": 1,
    "too-many-schemas-and-errors-in-content": 2,
    "unknown-property-at-root": 1,
    "doesnt-pass-regex-validation": 4,
    "expected-object": 2,
    "expected-smaller-array": 1,
    "wrong-type": 6,
}


def test_published_failing_samples_are_refused_with_every_fault() -> None:
    found = {}
    for path in sorted(SAMPLES.glob("failing/*/*.json")):
        body = read(path)
        whole = body if "content" in body else envelope_of({"technicalNoreq": body})
        found[path.stem] = len(pack().check_message(dumped(whole)))
    assert found == EXPECTED
