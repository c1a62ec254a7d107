"""A whole RC-EDA message of 3 KB into the other format, each direction from bytes to bytes."""

from itertools import cycle

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.bodies import Bodies
from bench.micro.test_accept import BODIES, PACK
from validators import load_pack


@pytest.mark.parametrize("to", ("json", "xml"))
def test_convert(benchmark: BenchmarkFixture, to: str) -> None:
    form = load_pack(PACK).xml
    bodies = Bodies(seed=1, started=1.8e9, count=BODIES)
    messages = [bodies.message(0, "fr.health.samu050", "fr.fire.nexsis.sdis-50", n).body for n in range(BODIES)]
    if to == "json":
        messages = [form.write_message(message) for message in messages]
    convert = form.read_message if to == "json" else form.write_message
    benchmark.group = f"RC-EDA to the other format, {sum(map(len, messages)) // len(messages)} bytes"
    benchmark.name = f"to {to}"
    following = cycle(messages).__next__
    benchmark(lambda: convert(following()))
