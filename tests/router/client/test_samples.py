from datetime import UTC, datetime
from pathlib import Path

import pytest

import schemas
from router.client.acknowledgement import acknowledgement
from router.client.bodies import summary
from router.client.samples import RC_EDA, sample
from router.client.send import fresh_body
from validators import Pack, load_pack


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(Path(next(iter(schemas.__path__))) / "v3")


def test_the_sample_is_valid(pack: Pack) -> None:
    assert pack.check_message(sample(RC_EDA)) == ()


def test_a_fresh_sample_is_valid(pack: Pack) -> None:
    assert pack.check_message(fresh_body(sample(RC_EDA), "fr.health.a", "fr.health.b")) == ()


def test_its_acknowledgement_is_valid(pack: Pack) -> None:
    received = summary(sample(RC_EDA))
    _, body = acknowledgement(received, "fr.health.hub.samu050", "1", datetime.now(UTC))
    assert pack.check_message(body) == ()
    assert summary(body).use_case == "RC-REF"
