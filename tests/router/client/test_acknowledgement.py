from datetime import UTC, datetime

import orjson
import pytest

from router.client.acknowledgement import acknowledgement
from router.client.bodies import Summary, summary
from router.client.samples import RC_EDA, sample

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
ME = "fr.health.hub.samu050"


def test_it_answers_the_sender_about_its_message() -> None:
    received = summary(sample(RC_EDA))
    identifier, body = acknowledgement(received, ME, "u-1", NOW)
    answer = summary(body)
    assert identifier == answer.distribution_id == f"{ME}_u-1"
    assert (answer.sender, answer.recipient, answer.kind) == (ME, received.sender, "ack")
    assert answer.about == f"RECU {received.distribution_id}"


def test_an_exercise_is_acknowledged_as_one_and_else_it_is_actual() -> None:
    def status(of: str) -> tuple[str, str]:
        envelope = orjson.loads(acknowledgement(Summary("", "x_1", "x", status=of), ME, "u", NOW)[1])
        message = envelope["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
        return envelope["distributionStatus"], message["status"]

    assert status("Exercise") == ("Exercise", "Exercise")
    assert status("Actual") == status("") == status("System") == ("Actual", "Actual")


@pytest.mark.parametrize("received", [Summary("", "", "x"), Summary("", "x_1", "")])
def test_nobody_or_nothing_to_acknowledge(received: Summary) -> None:
    with pytest.raises(ValueError):
        acknowledgement(received, ME, "u", NOW)
