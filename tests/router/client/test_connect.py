import asyncio
from pathlib import Path

import aiormq
import pytest
from aiormq.exceptions import (
    AMQPConnectionError,
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    ConnectionClosed,
    ConnectionNotAllowed,
    ProbableAuthenticationError,
)

from router.client.connect import (
    BrokerRefusal,
    ClientError,
    Login,
    client_in,
    client_login,
    connected,
    refusals,
)
from router.settings.config import load_config

LOGIN = Login("127.0.0.1", 1, "v", "fr.health.a", "se/cr@t")


@pytest.mark.parametrize(
    ("error", "says", "code"),
    [
        (ProbableAuthenticationError("x"), "refuses the login of 'fr.health.a'", 403),
        (ConnectionClosed(530, "x"), "vhost 'v' is not on the broker", 530),
        (ConnectionClosed(320, "x"), "no broker answers", 0),
        (AMQPConnectionError(111, "refused"), "no broker answers at 127.0.0.1:1", 0),
        (ConnectionRefusedError(111, "refused"), "no broker answers", 0),
        (TimeoutError(), "does not answer", 0),
        (ChannelAccessRefused("x"), "does not let 'fr.health.a'", 403),
        (ChannelNotFoundEntity("x"), "has the topology been applied", 404),
        (RuntimeError("x"), "ended the conversation (RuntimeError)", 0),
        (Exception(), "was lost", 0),
    ],
)
def test_each_error_is_one_line_that_says_what_to_look_at(error: Exception, says: str, code: int) -> None:
    async def fail() -> None:
        async with refusals(LOGIN):
            raise error

    with pytest.raises(BrokerRefusal) as caught:
        asyncio.run(fail())
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.code == code
    assert "se/cr@t" not in str(caught.value)


def test_our_own_bugs_and_cancels_pass() -> None:
    async def fail(error: BaseException) -> None:
        async with refusals(LOGIN):
            raise error

    with pytest.raises(KeyError):
        asyncio.run(fail(KeyError()))

    async def cancelled() -> str:
        task = asyncio.create_task(fail_slowly())
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return "cancelled"
        return "no"

    async def fail_slowly() -> None:
        async with refusals(LOGIN):
            await asyncio.sleep(10)

    assert asyncio.run(cancelled()) == "cancelled"


def test_a_cancel_by_the_library_is_the_brokers_doing() -> None:
    async def fail() -> None:
        async with refusals(LOGIN):
            raise asyncio.CancelledError

    with pytest.raises(BrokerRefusal, match="was lost"):
        asyncio.run(fail())


def test_nobody_listens() -> None:
    async def try_it() -> None:
        async with connected(LOGIN):
            pass

    with pytest.raises(BrokerRefusal, match="no broker answers at 127.0.0.1:1"):
        asyncio.run(try_it())


@pytest.mark.parametrize("vhost", ["/", "15-nexsis_v1.9", "a/b", "é 50%"])
def test_the_url_names_the_vhost_whatever_its_characters(vhost: str) -> None:
    async def parsed() -> tuple[str, str, str]:
        connection = aiormq.Connection(Login("h", 1, vhost, "fr.health.a", "se/cr@t:%").url)
        return connection.vhost, connection.url.user or "", connection.url.password or ""

    assert asyncio.run(parsed()) == (vhost, "fr.health.a", "se/cr@t:%")


def test_a_login_does_not_show_its_password() -> None:
    assert "se/cr@t" not in repr(LOGIN)


DIRECTORY = """
[[client]]
id = "fr.health.a"
[[client]]
id = "fr.health.b"
vhosts = ["two"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clients.toml").write_text(DIRECTORY)
    (tmp_path / "hubex.toml").write_text('[[vhosts]]\nname="one"\npack="v3"\n[[vhosts]]\nname="two"\npack="v3"\n')
    return tmp_path


def test_a_client_acts_in_the_first_vhost_that_it_is_on(folder: Path) -> None:
    config = load_config(folder / "hubex.toml", {})
    assert client_in(config, "fr.health.a")[1].vhost == "one"
    assert client_in(config, "fr.health.a", "two")[1].vhost == "two"
    assert client_in(config, "fr.health.b")[1].vhost == "two"
    with pytest.raises(ClientError, match="fr.health.c"):
        client_in(config, "fr.health.c")
    with pytest.raises(ClientError, match="is not on 'one'"):
        client_in(config, "fr.health.b", "one")
    with pytest.raises(ClientError, match="'three' is not in the configuration"):
        client_in(config, "fr.health.a", "three")


def test_without_a_clients_password_nobody_acts_as_one(folder: Path) -> None:
    with pytest.raises(ClientError, match="clients_password_file"):
        client_login(load_config(folder / "hubex.toml", {}), "fr.health.a", "one")


def test_connection_not_allowed_is_told_by_its_type_too() -> None:
    # While a connection is in use aiormq has a type of its own for AMQP's 530.
    async def fail() -> None:
        async with refusals(LOGIN):
            raise ConnectionNotAllowed("x")

    with pytest.raises(BrokerRefusal, match="vhost 'v'"):
        asyncio.run(fail())
