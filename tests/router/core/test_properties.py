"""Properties: sliced and put together again as pamqp reads them; what the law names never travels on."""

import struct
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from router.core.errors import MalformedProperties
from router.core.properties import (
    CACHED_TABLE_BYTES,
    CACHED_TABLES,
    MAX_HEADER_BYTES,
    Properties,
    _tables,
    entry,
    numbered,
    own,
    pack_number,
    parse,
    publish_number,
)

NUMBER = 2**33 + 5
FIELDS = (
    "content_type",
    "content_encoding",
    "headers",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "message_type",
    "user_id",
    "app_id",
    "cluster_id",
)


def encoded(values: Basic.Properties) -> bytes:
    """As it stands in a content header: flags, then values."""
    return ContentHeader(0, 0, values).marshal()[12:]


def decoded(raw: bytes) -> dict[str, object]:
    """What pamqp reads in it. (It does not tell an empty text from none.)"""
    read = ContentHeader()
    read.unmarshal(b"\x00\x3c\x00\x00" + bytes(8) + raw)
    found = {name: getattr(read.properties, name) for name in FIELDS}
    return {name: value for name, value in found.items() if value not in (None, "")}


def forwarded(raw: bytes, hub_headers: bytes = b"", expiration_ms: int | None = None) -> bytes:
    first, last = numbered(parse(raw), hub_headers, expiration_ms)
    return first + pack_number(NUMBER) + last


def table(*entries: bytes) -> bytes:
    """Raw properties that are headers alone."""
    inside = b"".join(entries)
    return b"\x20\x00" + struct.pack(">I", len(inside)) + inside


def header(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + value


# ---- strategies ----------------------------------------------------------------------------------

moments = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=20),
    st.floats(allow_nan=False, width=32),
    st.binary(max_size=20).map(bytearray),
    st.none(),
    moments,
    st.integers(0, 2**31 - 1).map(lambda mantissa: Decimal(mantissa) / 100),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
STRIPPED = (
    "x-hub-key",
    "x-hub-possible-duplicate",
    "x-hub-attempt",
    "x-hub-publish",
    "x-hub-anything-later",
    "x-hub-",
    "CC",
    "BCC",
    "x-death",
    "x-death-of-my-own",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
    "x-delivery-count",
)
ALMOST = ("x-hub", "X-Hub-key", "x-deat", "cc", "Bcc", "CCC", "x-delivery-counts", "x-acquired", "x-last")
names = st.text(max_size=12) | st.sampled_from(STRIPPED) | st.sampled_from(ALMOST)
headers = st.dictionaries(names, values, max_size=6)
short = st.text(max_size=30)
properties = st.builds(
    Basic.Properties,
    content_type=st.none() | short,
    content_encoding=st.none() | short,
    headers=st.none() | headers,
    delivery_mode=st.sampled_from((None, 1, 2)),
    priority=st.none() | st.integers(0, 255),
    correlation_id=st.none() | short,
    reply_to=st.none() | short,
    expiration=st.none() | st.integers(0, 10**9).map(str),
    message_id=st.none() | short,
    timestamp=st.none() | moments,
    message_type=st.none() | short,
    user_id=st.none() | short,
    app_id=st.none() | short,
    cluster_id=st.just(""),  # pamqp lets it be nothing else; `test_every_property_keeps_its_place` has one
)


def is_stripped(name: str) -> bool:
    beginnings = ("x-hub-", "x-death", "x-first-death", "x-last-death")
    return name.startswith(beginnings) or name in ("CC", "BCC", "x-delivery-count")


# ---- what travels on -----------------------------------------------------------------------------


@given(properties)
def test_what_is_forwarded_is_what_came_but_for_what_the_law_names(sent: Basic.Properties) -> None:
    raw = encoded(sent)
    expected = decoded(raw)
    kept = {name: value for name, value in (expected.pop("headers", None) or {}).items() if not is_stripped(name)}
    expected.pop("user_id", None)
    expected.pop("expiration", None)
    assert decoded(forwarded(raw)) == {
        **expected,
        "delivery_mode": 2,
        "headers": {**kept, "x-hub-publish": NUMBER},
    }


@given(properties, st.none() | st.integers(1, 86_400_000))
def test_the_expiration_is_the_hubs_alone(sent: Basic.Properties, expiration_ms: int | None) -> None:
    out = decoded(forwarded(encoded(sent), expiration_ms=expiration_ms))
    assert out.get("expiration") == (None if expiration_ms is None else str(expiration_ms))


@given(st.lists(st.tuples(names, values), max_size=6))
def test_kept_headers_travel_byte_for_byte_in_their_order(sent: list[tuple[str, object]]) -> None:
    entries = [(name, encoded(Basic.Properties(headers={name: value}))[6:]) for name, value in sent]  # type: ignore
    raw = table(*(written for _, written in entries))
    kept = b"".join(written for name, written in entries if not is_stripped(name))
    assert parse(raw).kept == kept
    assert kept in forwarded(raw)


@given(properties)
def test_forwarding_twice_changes_nothing_more(sent: Basic.Properties) -> None:
    once = forwarded(encoded(sent))
    assert decoded(forwarded(once)) == decoded(once)
    assert parse(forwarded(once)).persistent


@pytest.mark.parametrize("name", STRIPPED)
def test_a_header_of_the_hub_or_the_broker_never_travels_on(name: str) -> None:
    for value in ("forged", True, 7, ["a", "b"], {"deep": ["x"]}, None):
        raw = encoded(Basic.Properties(headers={"before": 1, name: value, "behind": 2}))
        found = parse(raw)
        assert decoded(forwarded(raw))["headers"] == {"before": 1, "behind": 2, "x-hub-publish": NUMBER}
        assert found.value(name) == value
        assert found.has_cc is (name == "CC")


@pytest.mark.parametrize("name", ALMOST)
def test_a_header_that_only_looks_alike_travels_on(name: str) -> None:
    raw = encoded(Basic.Properties(headers={name: "mine"}))
    assert decoded(forwarded(raw))["headers"] == {name: "mine", "x-hub-publish": NUMBER}
    assert not parse(raw).has_cc


def test_hub_headers_are_written_behind_the_clients() -> None:
    raw = encoded(Basic.Properties(headers={"a": 1, "x-hub-key": "forged", "x-hub-possible-duplicate": True}))
    written = entry("x-hub-key", "fr.x.out.message") + entry("x-hub-first-seen", 1_700_000_000_123)
    assert decoded(forwarded(raw, written))["headers"] == {
        "a": 1,
        "x-hub-key": "fr.x.out.message",
        "x-hub-first-seen": 1_700_000_000_123,
        "x-hub-publish": NUMBER,
    }


@pytest.mark.parametrize("mode, expected", ((None, False), (0, False), (1, False), (2, True), (3, False)))
def test_only_delivery_mode_2_is_persistent_and_all_becomes_so(mode: int | None, expected: bool) -> None:
    for priority in (None, 9):
        flags = (0x1000 if mode is not None else 0) | (0x0800 if priority is not None else 0)
        raw = struct.pack(">H", flags) + bytes(octet for octet in (mode, priority) if octet is not None)
        assert parse(raw).persistent is expected
        out = decoded(forwarded(raw))
        assert (out["delivery_mode"], out.get("priority")) == (2, priority)


def test_no_properties_at_all_are_properties() -> None:
    found = parse(b"\x00\x00")
    assert (found.content_type, found.persistent, found.has_cc, found.kept) == (None, False, False, b"")
    assert decoded(forwarded(b"\x00\x00")) == {"delivery_mode": 2, "headers": {"x-hub-publish": NUMBER}}


def test_every_property_keeps_its_place() -> None:
    """Written by hand: pamqp writes no empty text, no cluster id, no delivery mode 0."""

    def text(value: bytes) -> bytes:
        return bytes((len(value),)) + value

    before = text(b"application/json") + text(b"")
    middle = b"\x02" + b"\x00" + text(b"corr") + text(b"")
    behind = text(b"") + struct.pack(">Q", 2**64 - 1) + text(b"type")
    ends = text(b"app") + text(b"cluster")
    raw = b"\xff\xfc" + before + bytes(4) + middle + text(b"60000") + behind + text(b"guest") + ends
    number = header(b"x-hub-publish", b"l" + pack_number(NUMBER))
    headers = struct.pack(">I", len(number)) + number
    assert forwarded(raw) == b"\xfe\xec" + before + headers + middle + behind + ends
    assert forwarded(raw, expiration_ms=7) == b"\xff\xec" + before + headers + middle + text(b"7") + behind + ends


@given(st.text(min_size=1, max_size=60))
def test_the_content_type_is_read(text: str) -> None:
    raw = encoded(Basic.Properties(content_type=text))
    found = parse(raw)
    assert found.content_type is not None
    assert found.content_type.encode("latin-1") == text.encode("utf-8")


def test_properties_of_the_hubs_own_messages_are_json_and_persistent() -> None:
    first, last = numbered(own("application/json"), entry("x-hub-possible-duplicate", True), None)
    assert decoded(first + pack_number(3) + last) == {
        "content_type": "application/json",
        "delivery_mode": 2,
        "headers": {"x-hub-possible-duplicate": True, "x-hub-publish": 3},
    }


# ---- numbers and texts read back -----------------------------------------------------------------


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_is_read_back(value: int) -> None:
    assert parse(table(entry("x-hub-attempt", value))).number("x-hub-attempt") == value


@given(st.text())
def test_a_text_is_read_back(text: str) -> None:
    assert parse(table(entry("x-hub-key", text))).text("x-hub-key") == text


@given(st.binary(max_size=255))
def test_a_key_that_is_not_utf8_is_written_as_the_bytes_it_was(key: bytes) -> None:
    written = entry("x-hub-key", key.decode("utf-8", "surrogateescape"))
    assert written.endswith(struct.pack(">I", len(key)) + key)
    assert parse(table(written)).text("x-hub-key") == key.decode("utf-8", "replace")


@pytest.mark.parametrize("value", (True, False))
def test_a_mark_is_read_back(value: bool) -> None:
    assert parse(table(entry("x-hub-possible-duplicate", value))).value("x-hub-possible-duplicate") is value


@pytest.mark.parametrize("value", ("7", True, None, 1.0, [7], {"a": 7}, bytearray(b"7")))
def test_what_is_no_integer_counts_as_none_given(value: object) -> None:
    raw = encoded(Basic.Properties(headers={"x-hub-attempt": value}))  # type: ignore[dict-item]
    assert parse(raw).number("x-hub-attempt") == 0
    assert parse(raw).number("x-hub-first-seen") == 0


@pytest.mark.parametrize("value", (7, True, None, ["a"], {"a": "b"}))
def test_what_is_no_text_counts_as_none_given(value: object) -> None:
    raw = encoded(Basic.Properties(headers={"x-hub-key": value}))  # type: ignore[dict-item]
    assert parse(raw).text("x-hub-key") == ""
    assert parse(b"\x00\x00").text("x-hub-key") == ""


@given(st.integers(1, 2**63 - 1), properties)
def test_the_publish_number_is_read_back_from_what_was_published(number: int, sent: Basic.Properties) -> None:
    first, last = numbered(parse(encoded(sent)), b"", 5)
    assert publish_number(first + pack_number(number) + last) == number


@pytest.mark.parametrize("value", (0, -1, "1", None, True))
def test_a_return_without_a_publish_number_is_malformed(value: object) -> None:
    with pytest.raises(MalformedProperties):
        publish_number(encoded(Basic.Properties(headers={"x-hub-publish": value})))  # type: ignore[dict-item]
    with pytest.raises(MalformedProperties):
        publish_number(b"\x00\x00")


# ---- all types of a field table ------------------------------------------------------------------

EVERY_TYPE = {
    "t": b"\x01",
    "b": b"\xff",
    "B": b"\xff",
    "s": b"\x80\x00",
    "u": b"\xff\xff",
    "U": b"\x80\x00",
    "I": b"\x80\x00\x00\x00",
    "i": b"\xff\xff\xff\xff",
    "l": b"\x80" + bytes(7),
    "L": b"\x80" + bytes(7),
    "f": struct.pack(">f", 1.5),
    "d": struct.pack(">d", 1.5),
    "D": b"\x02\x00\x00\x01\x00",
    "T": struct.pack(">Q", 1_700_000_000),
    "V": b"",
    "S": b"\x00\x00\x00\x03abc",
    "x": b"\x00\x00\x00\x03a\x00c",
    "A": b"\x00\x00\x00\x04" + b"t\x01" + b"b\x02",
    "F": b"\x00\x00\x00\x04" + b"\x01kt\x01",
}


@pytest.mark.parametrize("kind", EVERY_TYPE)
def test_every_type_of_a_header_value_is_passed_over(kind: str) -> None:
    value = kind.encode() + EVERY_TYPE[kind]
    raw = table(header(b"a", value), header(b"x-hub-key", value), header(b"z", value))
    assert parse(raw).kept == header(b"a", value) + header(b"z", value)
    for missing in range(1, len(value) + 1):  # a value cut short is never read past the end of its table
        with pytest.raises(MalformedProperties):
            parse(table(header(b"a", value[:-missing])))


@pytest.mark.parametrize("kind", sorted(set(map(chr, range(256))) - set(EVERY_TYPE)))
def test_a_type_that_does_not_exist_is_malformed(kind: str) -> None:
    with pytest.raises(MalformedProperties):
        parse(table(header(b"a", kind.encode("latin-1") + bytes(16))))


def test_arrays_of_arrays_and_tables_in_arrays_travel_on() -> None:
    nested = {"a": [[1, [2, ["drei"]], []], {"b": [{"c": [None]}]}], "empty": {}, "none": []}
    raw = encoded(Basic.Properties(headers={**nested, "CC": [["x"], "y"]}))
    assert parse(raw).has_cc
    assert decoded(forwarded(raw))["headers"] == {**nested, "x-hub-publish": NUMBER}


def deep(kind: bytes, levels: int) -> bytes:
    """A table in a table, or an array in an array, this deep."""
    value = b"t\x01"
    between = b"\x00" if kind == b"F" else b""
    for _ in range(levels):
        inside = between + value
        value = kind + struct.pack(">I", len(inside)) + inside
    return value


@pytest.mark.parametrize("kind", (b"F", b"A"))
def test_depth_costs_nothing(kind: bytes) -> None:
    within = deep(kind, (MAX_HEADER_BYTES - 100) // 6)
    assert parse(table(header(b"deep", within))).kept == header(b"deep", within)
    hostile = deep(kind, 10_000)
    began = perf_counter()
    for name in (b"deep", b"x-hub-key"):
        with pytest.raises(MalformedProperties):
            parse(table(header(name, hostile)))
    found = parse(table(header(b"x-hub-key", within)))
    assert (found.value("x-hub-key"), found.number("x-hub-key"), found.text("x-hub-key")) == (None, 0, "")
    assert perf_counter() - began < 0.1


def test_client_headers_are_bounded_so_that_the_hubs_own_still_fit_in_a_frame() -> None:
    """A content header is one frame: a client that fills it would make the hub write one that the broker cuts the
    connection for, again and again."""
    room = MAX_HEADER_BYTES - len(header(b"big", b"S\x00\x00\x00\x00"))
    at_most = header(b"big", b"S" + struct.pack(">I", room) + b"h" * room)
    assert parse(table(at_most)).kept == at_most
    assert parse(table(at_most, entry("x-hub-history", "h" * 512), header(b"x-death", deep(b"A", 50)))).kept == at_most
    with pytest.raises(MalformedProperties):
        parse(table(at_most, header(b"", b"V")))


def test_hub_headers_are_bounded_by_themselves_so_that_what_climbs_stays_readable() -> None:
    full = header(b"own", b"S" + struct.pack(">I", MAX_HEADER_BYTES - 9) + b"o" * (MAX_HEADER_BYTES - 9))
    forged = header(b"x-hub-x", b"S" + struct.pack(">I", MAX_HEADER_BYTES - 13) + b"f" * (MAX_HEADER_BYTES - 13))
    assert forwarded(table(full, forged))
    with pytest.raises(MalformedProperties):
        parse(table(full, forged, header(b"CC", b"V")))


# ---- garbage -------------------------------------------------------------------------------------


def survive(raw: bytes) -> Properties | None:
    """Parse; only MalformedProperties may come out, and whatever was read can be forwarded and read again."""
    try:
        found = parse(raw)
    except MalformedProperties:
        return None
    for name in found.trusted or ():
        found.value(name), found.number(name), found.text(name)
    first, last = numbered(found, entry("x-hub-key", "k"), 7)
    again = parse(first + pack_number(NUMBER) + last)
    assert (again.kept, again.content_type, again.persistent) == (found.kept, found.content_type, True)
    assert (again.head, again.tail, again.has_cc) == (found.head, found.tail, False)
    assert publish_number(first + pack_number(NUMBER) + last) == NUMBER
    return found


@given(st.binary(max_size=200))
def test_random_bytes_are_malformed_or_readable(raw: bytes) -> None:
    survive(raw)


@given(st.integers(0, 0xFFFF), st.binary(max_size=200))
def test_random_values_behind_random_flags_are_malformed_or_readable(flags: int, rest: bytes) -> None:
    survive(struct.pack(">H", flags) + rest)


@given(st.lists(st.tuples(names, st.sampled_from(sorted(EVERY_TYPE)), st.binary(max_size=40)), max_size=6))
def test_random_header_values_are_malformed_or_readable(entries: list[tuple[str, str, bytes]]) -> None:
    survive(table(*(header(name.encode(), kind.encode() + value) for name, kind, value in entries)))


@given(st.sampled_from(sorted(EVERY_TYPE)), st.binary(max_size=40))
def test_a_trusted_value_that_cannot_be_read_counts_as_none_given(kind: str, value: bytes) -> None:
    found = Properties()
    found.trusted = {"x-hub-key": kind.encode() + value}
    assert type(found.number("x-hub-key")) is int
    assert type(found.text("x-hub-key")) is str


@given(properties, st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 7)), min_size=1, max_size=3))
def test_flipped_bits_are_malformed_or_readable(sent: Basic.Properties, flips: list[tuple[int, int]]) -> None:
    spoilt = bytearray(encoded(sent))
    for at, bit in flips:
        spoilt[at % len(spoilt)] ^= 1 << bit
    survive(bytes(spoilt))


@given(properties, st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_properties_cut_short_or_too_long_are_malformed(sent: Basic.Properties, cut: int, more: bytes) -> None:
    raw = encoded(sent)
    assert survive(raw) is not None
    for wrong in (raw[: cut % len(raw)], raw + more):
        with pytest.raises(MalformedProperties):
            parse(wrong)


@pytest.mark.parametrize("flags", (0x0001, 0x0002, 0x8001, 0xFFFF))
def test_flags_that_do_not_exist_are_malformed(flags: int) -> None:
    with pytest.raises(MalformedProperties):
        parse(struct.pack(">H", flags) + bytes(300))


def test_the_same_table_in_two_messages_is_told_apart_by_its_message() -> None:
    """Sorted tables are shared between messages; nothing of one may show in the other."""
    first = parse(encoded(Basic.Properties(content_type="a", headers={"x-hub-key": "k", "n": 1}, user_id="u")))
    second = parse(encoded(Basic.Properties(content_type="b", headers={"x-hub-key": "k", "n": 1}, delivery_mode=2)))
    assert (first.content_type, second.content_type) == ("a", "b")
    assert (first.persistent, second.persistent) == (False, True)
    assert first.kept == second.kept


def test_sorted_tables_are_kept_within_their_bound() -> None:
    for at in range(3 * CACHED_TABLES):
        assert parse(table(entry("n", at))).kept == entry("n", at)
        assert len(_tables) <= CACHED_TABLES
    before = len(_tables)
    parse(table(entry("long", "x" * CACHED_TABLE_BYTES)))
    assert len(_tables) == before
