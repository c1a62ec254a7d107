"""The accept path, decoding included, and beside it what else could check the same bytes."""

from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from fastjsonschema import JsonSchemaValueException
from jsonschema_rs import ValidationError
from pytest_benchmark.fixture import BenchmarkFixture

import schemas
from bench.bodies import Bodies
from bench.micro.rivals import Check, rivals
from validators import ContentFaults, load_pack

PACK = Path(next(iter(schemas.__path__))) / "v3"
SAMPLES = {
    "RC-EDA": ("rc-eda-road", "rc-eda-fire", "rc-eda-faint"),
    "RS-EDA": ("rs-eda",),
    "EMSI": ("emsi",),
    "RC-RI": ("rc-ri",),
}
BODIES = 200
"""Different bodies of each model, so that no branch predictor learns one."""
CHECKERS = ("hubex check", "hubex judge", "orjson + fastjsonschema", "orjson + jsonschema-rs")
"""`check` is the verdict; `judge`, what the router calls, also finds the codes outside their nomenclature."""

REFUSALS = (ContentFaults, JsonSchemaValueException, ValidationError)


class _Envelope(msgspec.Struct):
    content: msgspec.Raw


def contents(model: str) -> list[bytes]:
    """The raw contents of different valid messages."""
    bodies = Bodies(seed=1, started=1.8e9, mix=dict.fromkeys(SAMPLES[model], 1.0), count=BODIES)
    whole = [bodies.message(0, "fr.health.samu050", "fr.fire.nexsis.sdis-50", n).body for n in range(BODIES)]
    return [bytes(msgspec.json.decode(body, type=_Envelope).content) for body in whole]


def checkers(model: str) -> dict[str, Callable[[bytes], Any]]:
    pack = load_pack(PACK)
    (case,) = [case for case in pack.manifest.use_cases if case.model == model]
    others: dict[str, Check] = rivals(PACK, pack.manifest, case)
    return {"hubex check": pack.check, "hubex judge": pack.judge, **others}


def spoiled(content: bytes) -> bytes:
    """The same content with an empty use case: a checker that takes it looks at nothing."""
    (element,) = orjson.loads(content)
    message = element["jsonContent"]["embeddedJsonContent"]["message"]
    message[list(message)[-1]] = {}
    return orjson.dumps([element])


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("model", SAMPLES)
def test_accept(benchmark: BenchmarkFixture, model: str, checker: str) -> None:
    check, messages = checkers(model)[checker], contents(model)
    for message in messages:  # all are valid, and everybody is warm
        check(message)
    with pytest.raises(REFUSALS):
        check(spoiled(messages[0]))
    benchmark.group = f"{model}, {sum(map(len, messages)) // len(messages)} bytes"
    benchmark.name = checker
    following = cycle(messages).__next__
    benchmark(lambda: check(following()))
