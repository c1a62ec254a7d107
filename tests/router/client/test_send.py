import pytest

from router.client.bodies import Summary, summary
from router.client.connect import ClientError
from router.client.samples import RC_EDA, sample
from router.client.send import fresh_body, kind_of, publish_key, with_recipient
from router.core.directory import Client, Naming


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize("kind", ["message", "ack", "info"])
def test_the_key_is_one_of_the_clients_own(naming: Naming, kind: str) -> None:
    client = Client("fr.health.a", naming=naming)
    key = publish_key(client, kind)
    assert key in client.publish_keys
    assert key == ("fr.health.a" if naming is Naming.FLAT else f"fr.health.a.out.{kind}")


def test_the_kind_is_the_bodys_unless_asked_for() -> None:
    read = summary(sample(RC_EDA))
    assert kind_of(read) == "message"
    assert kind_of(read, "ack") == "ack"
    assert kind_of(Summary(""), "info") == "info"
    with pytest.raises(ClientError, match="--kind"):
        kind_of(Summary("", distribution_kind="?"))


def test_fresh_bodies_differ() -> None:
    one, other = (summary(fresh_body(sample(RC_EDA), "fr.health.a")) for _ in range(2))
    assert one.distribution_id != other.distribution_id
    assert one.distribution_id.startswith("fr.health.a_") and one.sender == "fr.health.a"
    assert one.recipient == "fr.health.hub.samu050"


def test_a_body_without_envelope_cannot_be_filled_in() -> None:
    with pytest.raises(ClientError, match="envelope"):
        fresh_body(b"hello", "fr.health.a")
    with pytest.raises(ClientError, match="envelope"):
        with_recipient(b"[]", "fr.health.a")
