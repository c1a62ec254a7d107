"""The load's bodies: many, different, of the size they say, and each recognisable when it arrives."""

import json
import re
from collections import Counter
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

import pytest

import schemas
from bench.bodies import BODIES_MIN, HEADLINE, INVALID, MIXES, NOBODY, Bodies, Message, parse_mix, spoil
from bench.templates import NUMBERS, POOLS, fill, load_samples
from validators import load_pack

STARTED = 1_800_000_000.0
A, B = "fr.health.bench.c01", "fr.health.bench.c02"


@pytest.fixture(scope="module")
def headline() -> Bodies:
    return Bodies(1, STARTED)


def content(body: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(body)["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    return message


# ---- distinct, seeded, sized ---------------------------------------------------------------------------


def test_at_least_five_thousand_bodies_differ_beyond_their_ids(headline: Bodies) -> None:
    bodies = {re.sub(rb"_\d+", b"", headline.message(1, A, B, n).body) for n in range(BODIES_MIN)}
    assert len(bodies) == BODIES_MIN >= 5_000


def test_the_headline_is_rc_eda_of_3300_bytes(headline: Bodies) -> None:
    bodies = [headline.message(0, A, B, n).body for n in range(1000)]
    assert 3200 < mean(map(len, bodies)) < 3400
    assert all("createCase" in content(body) for body in bodies[:50])


def test_a_seed_a_client_and_a_number_give_the_same_message_again() -> None:
    headline, again, other = (Bodies(seed, STARTED, count=100) for seed in (1, 1, 2))
    assert again.message(3, A, B, 17) == headline.message(3, A, B, 17)
    assert other.message(3, A, B, 17) != headline.message(3, A, B, 17)
    assert headline.message(3, A, B, 18) != headline.message(3, A, B, 17)
    assert headline.message(4, A, B, 17) != headline.message(3, A, B, 17)


@pytest.mark.parametrize("name", sorted(MIXES))
def test_a_mix_has_all_its_shapes(name: str) -> None:
    bodies = Bodies(5, STARTED, MIXES[name], count=1000)
    samples = load_samples()
    wanted = {samples[shape].model for shape in MIXES[name] or samples}
    assert {template.model for template in bodies.templates} == wanted


def test_the_mix_of_everything_reaches_every_kind_of_inbox() -> None:
    bodies = Bodies(5, STARTED, MIXES["all"], count=1000)
    kinds = Counter(bodies.message(0, A, B, n).kind for n in range(1000))
    assert set(kinds) == {"message", "ack", "info"}


def test_envelope_says_who_to_whom_and_which(headline: Bodies) -> None:
    envelope = json.loads(headline.message(0, A, B, 42).body)
    assert next(iter(envelope)) == "distributionID"
    assert envelope["distributionID"] == f"{A}_42" and envelope["senderID"] == A
    assert envelope["descriptor"]["explicitAddress"]["explicitAddressValue"] == B
    assert content(headline.message(0, A, B, 42).body)["messageId"] == f"{A}_42"
    assert b"@" not in re.sub(rb"[a-z]@exemple", b"", headline.message(0, A, B, 42).body)


# ---- samples -------------------------------------------------------------------------------------------


def test_every_convention_of_every_sample_resolves() -> None:
    for name, sample in load_samples().items():
        for seed in range(50):
            text = json.dumps(fill(sample.message, Random(seed)))
            assert not re.search(r"\{[#\w|]+\}", text), name
            assert not re.search(r'[?*]":', text), name


def test_conventions() -> None:
    seen: set[str] = set()
    for seed in range(200):
        made = fill({"a?": 1, "b*": ["x", "y"], "c": "{p|q}-{digits4}", "d": "{#lat}", "e": True}, Random(seed))
        assert set(made) - {"a"} == {"b", "c", "d", "e"}
        assert 1 <= len(made["b"]) <= 3 and set(made["b"]) <= {"x", "y"}
        assert re.fullmatch(r"[pq]-\d{4}", made["c"]) and isinstance(made["d"], float) and made["e"] is True
        seen.add(f"{'a' in made} {len(made['b'])} {made['c'][0]}")
    assert len(seen) == 12


def test_pools_make_what_their_names_say() -> None:
    chance = Random(1)
    for count in (2, 4, 5, 8, 9, 14):
        assert re.fullmatch(rf"\d{{{count}}}", POOLS[f"digits{count}"](chance))
    for name, pool in POOLS.items():
        assert pool(chance), name
    for name, number in NUMBERS.items():
        assert isinstance(number(chance), int | float), name


@pytest.mark.parametrize("name", sorted(load_samples()))
def test_every_body_of_every_sample_is_valid_in_the_v3_pack(name: str) -> None:
    pack = load_pack(Path(schemas.__file__).parent / "v3")
    bodies = Bodies(7, STARTED, {name: 1}, count=60)
    for number in range(60):
        assert pack.check_message(bodies.message(0, A, B, number).body) == ()


@pytest.mark.parametrize("way", [way for way, code in INVALID.items() if code == 300])
def test_what_a_pack_must_refuse_it_refuses(way: str) -> None:
    pack = load_pack(Path(schemas.__file__).parent / "v3")
    for shape in ("rc-eda-fire", "rc-ref", "rs-error"):
        bodies = Bodies(7, STARTED, {shape: 1}, count=20)
        for number in range(20):
            assert pack.check_message(spoil(bodies.message(0, A, B, number), way).body), shape


# ---- invalid ones --------------------------------------------------------------------------------------


def test_ten_ways_of_being_invalid() -> None:
    assert len(INVALID) == 10


@pytest.mark.parametrize("way", INVALID)
@pytest.mark.parametrize("shape", ["rc-eda-road", "rc-ref", "rs-error"])
def test_a_spoiled_message_still_shows_its_id(way: str, shape: str) -> None:
    for message in (Bodies(9, STARTED, {shape: 1}, count=20).message(0, A, B, n) for n in range(20)):
        spoiled = spoil(message, way)
        assert spoiled.refusal == INVALID[way] and spoiled.kind == message.kind
        if way != "no_inbox":  # that one is made by its recipient, before rendering
            assert spoiled != Message(**{**_fields(message), "refusal": spoiled.refusal})
        assert re.search(rb'"distributionID": ?"' + A.encode() + rb'_\d+"', spoiled.body)


def _fields(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in message.__struct_fields__}


def test_what_each_way_changes() -> None:
    message = Bodies(9, STARTED, HEADLINE, count=1).message(0, A, B, 7)
    good = json.loads(message.body)
    assert spoil(message, "content_type").content_type == "application/octet-stream"
    assert spoil(message, "not_persistent").delivery_mode == 1
    for way in ("truncated", "not_utf8"):
        with pytest.raises(ValueError):
            json.loads(spoil(message, way).body)
    assert set(good) - set(json.loads(spoil(message, "missing_field").body)) == {"dateTimeSent"}
    assert content(spoil(message, "unknown_field").body)["createCase"]["surplus"] == 1
    assert json.loads(spoil(message, "wrong_type").body)["descriptor"]["language"] == 33
    assert json.loads(spoil(message, "wrong_sender").body)["senderID"] != A
    assert json.loads(spoil(message, "expired").body)["dateTimeExpires"] < "2021"


def test_the_invalid_share_is_spread_over_clients_numbers_and_ways() -> None:
    bodies = Bodies(1, STARTED, HEADLINE, invalid_share=0.1, count=200)
    ways: Counter[int] = Counter()
    nobody = 0
    for client in range(20):
        of_client = [bodies.message(client, A, B, n) for n in range(500)]
        assert 20 < sum(bool(message.refusal) for message in of_client) < 90
        ways.update(message.refusal for message in of_client)
        nobody += sum(NOBODY.encode() in m.body and m.refusal == 501 for m in of_client)
    assert 0.08 < 1 - ways[0] / 10_000 < 0.12
    assert set(ways) == {0, *INVALID.values()}
    assert nobody == ways[501] > 50


def test_without_a_share_all_are_valid(headline: Bodies) -> None:
    assert not any(headline.message(0, A, B, n).refusal for n in range(500))


# ---- mixes by name -------------------------------------------------------------------------------------


def test_a_mix_is_a_name_or_weights() -> None:
    assert parse_mix("rc-eda") == HEADLINE
    assert parse_mix("rc-ref=2.5, rs-error") == {"rc-ref": 2.5, "rs-error": 1.0}


@pytest.mark.parametrize("text", ["rc-ref=-1", "rc-ref=x", "rc-ref=0"])
def test_a_wrong_mix_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="rc-eda, first, all"):
        parse_mix(text)


def test_an_unknown_sample_is_named() -> None:
    with pytest.raises(ValueError, match="no sample called rc-nothing; there are .*rc-ref"):
        Bodies(1, STARTED, {"rc-nothing": 1}, count=1)
