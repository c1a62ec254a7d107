"""The rivals' own parts: what the null forwarder acknowledges, and that the checking one checks."""

import pytest
from fastjsonschema import JsonSchemaValueException

from bench.bodies import INVALID, MIXES, Bodies
from bench.forwarders import MODULES, PACK
from bench.results import FORWARDERS, RIVALS
from bench.rivals.faststream_checking import Checks
from bench.rivals.null import Settled


def test_only_what_has_no_gap_before_it_is_acknowledged() -> None:
    settled = Settled()
    seen = []
    for tag in (2, 3, 1, 6, 4, 5):
        settled.settle(tag)
        seen.append(settled.through)
    assert seen == [0, 0, 3, 3, 4, 6]


def test_the_checking_rival_takes_the_mix_and_refuses_what_a_schema_can_refuse() -> None:
    checks = Checks(PACK)
    for number in range(20):
        checks.check(Bodies(1, 1.8e9, MIXES["first"], count=20).message(0, "fr.health.a", "fr.health.b", number).body)
    spoiled = Bodies(1, 1.8e9, MIXES["first"], invalid_share=1.0, count=20)
    refused = 0
    for number in range(60):
        message = spoiled.message(0, "fr.health.a", "fr.health.b", number)
        if message.refusal == INVALID["missing_field"] and b"dateTimeSent" not in message.body:
            with pytest.raises(JsonSchemaValueException):
                checks.check(message.body)
            refused += 1
    assert refused > 2


def test_every_rival_has_its_program() -> None:
    assert set(MODULES) == set(RIVALS) <= set(FORWARDERS)
