import copy
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import msgspec
import pytest

from tests.validators.support import dumped, own_bodies, own_message, pack, wrapped
from validators import ContentFaults
from validators.dialect import matcher
from validators.nodes import Array, Boolean, Node, Number, Object, Text
from validators.straight import are_date_times, check_of, only_one
from validators.structs import MODEL_DATE_TIME, Acceptor, StructMaker


def decodes(node: Node, text: bytes) -> bool:
    """Whether the accept path takes it: the decoder, then the check of what it decoded."""
    maker, holder = StructMaker(), Object("holder", {"held": node}, frozenset(("held",)))
    made = maker.type_of(holder)
    if made is None:
        return False
    try:
        value = msgspec.json.decode(b'{"held":%s}' % text, type=made)
    except (msgspec.DecodeError, ValueError):
        return False
    return check_of([], maker.fields[id(holder)], maker.fields, maker.pattern_of)(value)


def test_absent_is_fine_where_it_may_be_and_null_never() -> None:
    node = Object("a", {"must": Number(), "may": Text()}, frozenset(("must",)))
    assert decodes(node, b'{"must": 1}')
    assert decodes(node, b'{"must": 1, "may": ""}')
    for refused in (b'{"may": ""}', b'{"must": null}', b'{"must": 1, "may": null}', b'{"must": 1, "other": 1}', b"[]"):
        assert not decodes(node, refused)


def test_names_that_python_does_not_allow() -> None:
    node = Object("class", {"class": Text(), "a-b": Text(), "1": Text(), "é": Text(), "__init__": Text()})
    assert decodes(node, '{"class": "", "a-b": "", "1": "", "é": "", "__init__": ""}'.encode())


def test_a_whole_number_within_64_bits() -> None:
    for accepted in (b"0", b"-9223372036854775808", b"9223372036854775807"):
        assert decodes(Number(integer=True), accepted)
    for left in (b"1.0", b"9223372036854775808", b"9" * 400, b"true", b'"1"'):
        assert not decodes(Number(integer=True), left)


def test_lists_and_codes() -> None:
    node = Array(Text(codes=("A", "B")), 1, 2)
    assert decodes(node, b'["A"]') and decodes(node, b'["B", "A"]')
    for refused in (b"[]", b'["A", "A", "A"]', b'["C"]', b'"A"', b"[null]"):
        assert not decodes(node, refused)


def test_date_times_with_or_without_a_pattern() -> None:
    assert decodes(Text(date_time=True), b'"2024-01-31T00:00:00.5Z"')
    assert not decodes(Text(date_time=True), b'"2024-01-32T00:00:00Z"')
    both = Text(pattern="^2024", date_time=True)
    assert not decodes(both, b'"2024-01-31T00:00:00Z"')  # accepting patterns take whole texts: the slow path's
    both = Text(pattern="^2024[^Z]*Z$", date_time=True)
    assert decodes(both, b'"2024-01-31T00:00:00Z"')
    assert not decodes(both, b'"2024-13-31T00:00:00Z"') and not decodes(both, b'"2023-01-31T00:00:00Z"')


def test_date_times_of_a_message_are_checked_together_and_none_hides_another() -> None:
    one = "2024-01-31T12:00:00+01:00"
    assert are_date_times([]) and are_date_times([one]) and are_date_times([one] * 50)
    for wrong in ("", "\n", f"{one}\n", f"\n{one}", f"{one}\n{one}", one[:-1], f"{one}0", one.replace("31", "32")):
        for texts in ([wrong], [one, wrong], [wrong, one], [one, wrong, one], [wrong, wrong]):
            assert not are_date_times(texts), texts
    assert not are_date_times([one[:12], f"{one[12:]}\n{one}"]) and not are_date_times([f"{one}\n{one[:5]}", one[5:]])
    stamp = Text(pattern=MODEL_DATE_TIME, date_time=True)
    holder = Object("times", {"must": stamp, "may": stamp, "many": Array(stamp)}, frozenset(("must",)))
    good, bad = f'"{one}"', f'"{one[:-1]}x"'
    for must, may, first, second in product((good, bad), repeat=4):
        text = f'{{"must":{must},"may":{may},"many":[{first},{second}]}}'.encode()
        assert decodes(holder, text) is (bad not in (must, may, first, second)), text


def test_texts_are_checked_wherever_they_are() -> None:
    code = Text(pattern="^[A-Z]{2}$", matcher=matcher("^[A-Z]{2}$"))
    inner = Object("inner", {"code": code, "free": Text()})
    outer = Object("outer", {"one": inner, "many": Array(inner), "lists": Array(Array(code))}, frozenset(("one",)))
    places = ('{"one":{"code":%s}}', '{"one":{},"many":[{},{"code":%s}]}', '{"one":{},"lists":[[],["AB",%s]]}')
    for place in places:
        assert decodes(outer, (place % '"XY"').encode()) and not decodes(outer, (place % '"xy"').encode())
    assert decodes(outer, b'{"one":{"free":"xy"}}')


def test_of_several_choices_one_is_found_if_it_is_alone() -> None:
    made = msgspec.defstruct("Made", [("a", int | None, None), ("b", int | None, None), ("c", int | None, None)])
    choose = only_one({"a": "A", "c": "C"})
    assert (choose(made(a=0)), choose(made(c=1)), choose(made(b=1, c=1))) == ("A", "C", "C")
    assert choose(made()) is choose(made(b=1)) is choose(made(a=1, c=1)) is None


@pytest.mark.parametrize("width, depth", ((2, 20), (1, 40), (1, 120)))
def test_classes_too_deep_for_a_function_are_left_to_the_slow_path(width: int, depth: int) -> None:
    node: Node = Text(pattern="^a$", matcher=matcher("^a$"))
    for _ in range(depth):
        node = Object("level", {f"x{at}": Array(node) for at in range(width)})
    began = time.process_time()
    assert not decodes(node, b"{}")
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize("required", [True, False])
def test_what_the_accept_path_cannot_judge_is_left_to_the_slow_path(required: bool) -> None:
    anything = Object("anything", closed=False)
    names = frozenset(("any",) if required else ())
    holder = Object("holder", {"any": anything, "b": Boolean()}, names)
    made = StructMaker().type_of(holder)
    if required:
        assert made is None  # a Struct without the field would take a message that lacks it
    else:
        assert decodes(holder, b'{"b": true}') and not decodes(holder, b'{"any": {}}')


def test_a_class_that_contains_itself() -> None:
    node = Object("tree", {"name": Text()})
    node.fields["child"] = node
    assert decodes(node, b'{"name": ""}')
    assert not decodes(node, b'{"child": {"name": 1}}')


def content(message: bytes) -> bytes:
    return b'[{"jsonContent":{"embeddedJsonContent":{"message":%s}}}]' % message


def test_acceptor() -> None:
    header = Object("header", {"may": Text(), "id": Text()}, frozenset(("id",)), closed=False)
    leaf = Object("leaf", {"x": Number()})
    anything = Object("any", closed=False)
    accept = Acceptor(header, {"a": ("A", True, leaf), "b": ("B", False, leaf), "c": ("C", False, anything)}).accept
    assert accept(content(b'{"id":"1","a":{}}')) == ("A",)
    assert accept(content(b'{"b":{"x":1}}')) == ("B",)
    assert accept(content(b'{"b":{}}')[:-1] + b"," + content(b'{"id":"","a":{}}')[1:]) == ("B", "A")
    for left in (
        b'{"a":{}}', b'{"may":"","a":{}}', b'{"id":"1"}', b"{}", b'{"id":"1","a":{},"b":{}}', b'{"c":{}}',
        b'{"id":"1","a":{},"c":{}}', b'{"id":"1","a":{},"x":1}', b'{"id":1,"a":{}}', b'{"id":"1","a":null}',
    ):  # fmt: skip
        assert accept(content(left)) is None, left
    for left in (b"", b"[]", b"{}", b"[null]", b'[{"jsonContent":{}}]', b"[" * 100_000):
        assert accept(left) is None


def test_acceptor_without_a_usable_header() -> None:
    leaf = Object("leaf", {"x": Number()})
    header = Object("header", {"id": Object("any", closed=False)}, frozenset(("id",)), closed=False)
    accept = Acceptor(header, {"a": ("A", True, leaf), "b": ("B", False, leaf)}).accept
    assert accept(content(b'{"a":{}}')) is None
    assert accept(content(b'{"b":{}}')) == ("B",)


@pytest.mark.parametrize("spoiled", (b"\xff", b"\xc3", b"\xed\xa0\x80"))
def test_bytes_that_are_not_utf8_are_refused_wherever_they_are(spoiled: bytes) -> None:
    """The decoder looks into every byte, as long as no field is skipped: at each place of a message, by both."""
    content = dumped(own_message()["content"])
    for at in range(len(content)):
        changed = content[:at] + spoiled + content[at + 1 :]
        try:
            changed.decode()
        except UnicodeDecodeError:
            assert pack()._accept(changed) is None and pack()._accept_listed(changed) is None, at


# ---- nomenclatures -------------------------------------------------------------------------------


def _texts(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all texts in a value."""
    if isinstance(value, str):
        yield place
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _texts(inner, (*place, key))


UNLISTED = ("no code of any list", "C99.99.99", "L99.99.99", "R99", "M99.99")
"""Texts that some field takes and no nomenclature has."""


def test_one_decoding_finds_nothing_to_warn_of_exactly_where_the_walk_finds_nothing() -> None:
    """Every text of every sample replaced in turn: the fast judgement is that of `check` and `warnings`."""
    warned = clean = 0
    for whole in (own_message(), *(wrapped(root, body) for root, body in own_bodies().items())):
        for place in _texts(whole["content"]):
            for text in UNLISTED:
                raw = dumped(_replaced(whole["content"], place, text))
                try:
                    models = pack().check(raw)
                except ContentFaults:
                    with pytest.raises(ContentFaults):
                        pack().judge(raw)
                    continue
                warnings = pack().warnings(raw)
                assert pack().judge(raw) == (models, warnings), place
                warned, clean = warned + bool(warnings), clean + (not warnings)
    assert warned >= 5 and clean >= 100, (warned, clean)


def _replaced(value: Any, place: tuple[Any, ...], text: str) -> Any:
    changed = at = copy.deepcopy(value)
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = text
    return changed


def test_a_sample_draws_all_its_codes_from_the_lists_in_one_decoding() -> None:
    """Else the fast judgement would be two decodings and a walk for every message."""
    raw = dumped(own_message()["content"])
    assert pack()._accept_listed(raw) == ("RC-EDA",)
