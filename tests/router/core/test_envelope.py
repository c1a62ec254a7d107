"""The envelope: the fast path accepts only what the pack accepts, and the reference id is found in any bytes, in linear
time."""

from time import perf_counter
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.envelope import fast_read, reference_id, scan_reference, slow_read
from router.core.names import KIND_OF_DISTRIBUTION, NO_REFERENCE
from router.core.refusals import MAX_ID_CHARACTERS
from tests.router.core.making import NOW, SAMU, SDIS, body, envelope, pack, when
from validators import ContentFaults

ID = "fr.health.hub.samu050_1"


def read_or_none(raw: bytes) -> tuple[Any, ...] | None:
    found = fast_read(raw)
    return None if found is None else (found[0].distributionID, found[0].recipient, found[1])


# ---- reading -------------------------------------------------------------------------------------


def test_an_envelope_is_read_and_its_content_left_as_it_came() -> None:
    spaced = orjson.dumps(envelope(), option=orjson.OPT_INDENT_2)
    found = fast_read(spaced)
    assert found is not None
    read, expires = found
    assert (read.distributionID, read.senderID, read.recipient) == (ID, SAMU.id, SDIS.id)
    assert (read.distributionKind, read.distributionStatus, expires) == ("Report", "Actual", NOW + 3600)
    assert bytes(read.content) in spaced and orjson.loads(bytes(read.content)) == envelope()["content"]


@pytest.mark.parametrize("kind", sorted(KIND_OF_DISTRIBUTION))
@pytest.mark.parametrize("status", ("Actual", "Exercise"))
def test_every_kind_and_status_of_the_model_is_read(kind: str, status: str) -> None:
    raw = body(distributionKind=kind, distributionStatus=status)
    assert read_or_none(raw) is not None
    assert pack().check_message(raw) == ()


@pytest.mark.parametrize(
    "changes",
    (
        {"distributionKind": "report"},
        {"distributionKind": "Request"},
        {"distributionStatus": "System"},
        {"distributionStatus": ""},
        {"dateTimeSent": "2025-06-15T15:06:40"},
        {"dateTimeSent": "2025-06-15 15:06:40+00:00"},
        {"dateTimeExpires": "2025-06-15T15:06:60+00:00"},
        {"dateTimeExpires": "2025-02-29T15:06:40+00:00"},
        {"dateTimeExpires": ""},
        {"dateTimeExpires": 1750000000},
        {"senderID": 7},
        {"senderID": None},
        {"distributionID": None},
        {"content": None},
        {"descriptor": None},
        {"descriptor": {"language": "fr-FR"}},
        {"descriptor": {"language": "fr-FR", "explicitAddress": {"explicitAddressScheme": "hubex"}}},
    ),
)
def test_the_fast_path_takes_nothing_that_the_pack_refuses(changes: dict[str, Any]) -> None:
    raw = body(**changes)
    assert fast_read(raw) is None
    assert pack().check_message(raw) != ()


NO_ENVELOPES = (b"", b"[]", b"null", b"{}", b"7", b'"x"', b"{", body()[:-1], b"\xff\xfe", body() + b"x")


@pytest.mark.parametrize("raw", (*NO_ENVELOPES, b"\xef\xbb\xbf" + body()))
def test_what_is_no_envelope_is_none(raw: bytes) -> None:
    assert fast_read(raw) is None
    assert slow_read(raw) is None


@pytest.mark.parametrize("levels", (900, 5_000, 60_000))
@pytest.mark.parametrize("opening, closing", ((b"[", b"]"), (b'{"a":', b"}")))
def test_a_body_nested_too_deep_is_none_and_no_exception(levels: int, opening: bytes, closing: bytes) -> None:
    nested = opening * levels + b"1" + closing * levels
    for raw in (body(content=None)[:-1] + b',"content":' + nested + b"}", nested):
        fast_read(raw)
        slow_read(raw)
        reference_id(raw)
        assert pack().check_message(raw) != ()


@given(st.binary(max_size=300) | st.recursive(st.text(), lambda inner: st.lists(inner)).map(orjson.dumps))
def test_any_bytes_are_read_or_none(raw: bytes) -> None:
    assert fast_read(raw) is None
    assert slow_read(raw) is None
    assert reference_id(raw) == NO_REFERENCE or raw


def accepted_fast(raw: bytes) -> bool:
    found = fast_read(raw)
    try:
        return found is not None and pack().check(found[0].content) != ()
    except ContentFaults:
        return False


@given(st.data())
def test_both_paths_are_of_one_mind_about_a_spoilt_message(data: st.DataObject) -> None:
    spoilt = bytearray(body())
    for _ in range(data.draw(st.integers(1, 3))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    raw = bytes(spoilt)
    if pack().check_message(raw):
        assert not accepted_fast(raw)
    else:
        assert accepted_fast(raw) or slow_read(raw) is not None


def test_a_kind_of_a_later_pack_that_has_no_inbox_cannot_be_read() -> None:
    assert slow_read(body(distributionStatus="Test")) is not None
    assert slow_read(body(distributionKind="Dispatch")) is None


def test_the_slow_path_reads_what_the_fast_one_reads() -> None:
    for changes in ({}, {"distributionKind": "Ack"}, {"dateTimeExpires": "2025-06-15t16:06:40z"}):
        fast, slow = fast_read(body(**changes)), slow_read(body(**changes))
        assert fast is not None and slow is not None
        assert slow[1] == fast[1] == NOW + 3600
        assert slow[0].distributionID == fast[0].distributionID and slow[0].recipient == fast[0].recipient
        assert pack().check(slow[0].content) == pack().check(fast[0].content)


# ---- the reference id ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw, found",
    (
        (body(), ID),
        (body(content=None), ID),
        (b'{"distributionID":"x"}', "x"),
        (b'{"content":[{"distributionID":"inner"}],"distributionID":"outer"}', "outer"),
        (b'{"distributionID" \n:\t"x", truncated', "x"),
        (body()[:90], ID),
        (b"\xff\xfe" + body(), ID),
        (b"[" + body() + b"]", ID),
        ('{"distributionID":"né_1"'.encode(), "né_1"),
        (b'{"distributionID":"n\xe9_1"', "n\ufffd_1"),
        (b"<distributionID>x_1</distributionID>", "x_1"),
        (b"<ns2:distributionID>\n  x_1  \r\n</ns2:distributionID>", "x_1"),
        (b"<distributionID>a b</distributionID>", "a b"),
        (b"<distributionID>  a b \n </distributionID>", "a b"),
        (b"<distributionID>open <distributionID>closed</distributionID>", "closed"),
        (b'<distributionID>open "distributionID":"x_1"', "x_1"),
        (b'<?xml version="1.0"?><edxl:distributionID>x_1</', "x_1"),
        (b'{"distributionID":""', NO_REFERENCE),
        (b'{"distributionID":7}', NO_REFERENCE),
        (b'{"distributionID":null,"x":{"distributionID":"inner"}}', "inner"),
        (b'{"distributionIDs":"x"', NO_REFERENCE),
        (b'{"distributionID":"open', NO_REFERENCE),
        (b'{"distributionID":"a\\"b"', NO_REFERENCE),
        (b"<distributionID>   </distributionID>", NO_REFERENCE),
        (b"<distributionID>x_1", NO_REFERENCE),
        (b"<distributionID><b>x</b></distributionID>", NO_REFERENCE),
        (b"", NO_REFERENCE),
        (b"null", NO_REFERENCE),
        (b"[]", NO_REFERENCE),
    ),
)
def test_the_reference_is_read_from_the_envelope_else_from_the_bytes(raw: bytes, found: str) -> None:
    assert reference_id(raw) == found


def test_an_id_is_cut_wherever_it_comes_from() -> None:
    long = "x" * 1000
    for raw in (
        orjson.dumps({"distributionID": long}),
        orjson.dumps({"distributionID": long})[:-1],
        f"<distributionID>{long}</distributionID>".encode(),
        orjson.dumps({"distributionID": "é" * 400}),
    ):
        assert len(reference_id(raw)) == MAX_ID_CHARACTERS


@given(st.text(st.characters(min_codepoint=32, exclude_characters='"\\<', exclude_categories=("Cs",)), min_size=1))
def test_any_id_is_found_in_a_body_that_is_cut_short(identifier: str) -> None:
    found = scan_reference(f'{{"distributionID": "{identifier}", '.encode())
    assert found == identifier[:MAX_ID_CHARACTERS] or len(identifier.encode()) > 1024


MIB = 1024 * 1024
HOSTILE = {
    "blanks behind a tag": b"<distributionID>" + b" " * MIB,
    "newlines behind a tag": b"<distributionID>" + b"\n" * MIB,
    "blanks behind an id": b"<distributionID>x" + b" " * MIB,
    "an id and blanks in turn": b"<distributionID>" + b"x " * (MIB // 2),
    "tags on end": b"<distributionID>" * (MIB // 16),
    "prefixes on end": b"<a:" * (MIB // 3),
    "one long prefix": b"<" + b"a" * MIB,
    "prefix signs": b"<a" * (MIB // 2),
    "names on end": b'"distributionID"' * (MIB // 16),
    "a name and blanks": b'"distributionID"' + b" " * MIB,
    "a colon and blanks": b'"distributionID":' + b" " * MIB,
    "open texts on end": b'"distributionID":"' * (MIB // 18),
    "an endless text": b'"distributionID":"' + b"x" * MIB,
    "one id and blanks in lines": b"<distributionID>x" + b" \n" * (MIB // 2),
    "ids and blanks on end": (b"<distributionID>x" + b" " * 1100) * (MIB // 1117),
    "open long texts on end": (b'"distributionID":"' + b"x" * 1100) * (MIB // 1118),
    "long ids on end": (b"<distributionID>" + b"x" * 1024 + b" ") * (MIB // 1041),
    "quotes": b'"' * MIB,
    "depth": b"[" * MIB,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_scan_is_linear_whatever_the_bytes(name: str) -> None:
    """It runs on poison, and on every unreadable body of a client: a second per mebibyte would stop the worker."""
    began = perf_counter()
    assert scan_reference(HOSTILE[name]) == NO_REFERENCE
    assert reference_id(HOSTILE[name]) == NO_REFERENCE
    assert perf_counter() - began < 1.0


def test_when_is_what_the_models_want() -> None:
    assert when(0) == "2025-06-15T15:06:40+00:00"
