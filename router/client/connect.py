"""A connection as any editor's software makes it, and errors that say in one line what stands in the way.

Law: whatever aiormq raises leaves this room as a `BrokerRefusal`; a cancel of the caller passes.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiormq
from aiormq.abc import AbstractConnection
from aiormq.exceptions import (
    AMQPConnectionError,
    AMQPError,
    AuthenticationError,
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    ConnectionClosed,
    ConnectionNotAllowed,
    DeliveryError,
    InvalidFrameError,
    ProbableAuthenticationError,
    PublishError,
)
from msgspec import Struct
from yarl import URL

from router.client.ending import tried
from router.core.directory import Client, Directory
from router.settings.config import Config
from router.settings.directory_file import read_directory

CONNECT_TIMEOUT_SECONDS: Final = 10.0
RPC_TIMEOUT_SECONDS: Final = 10.0
CLOSE_TIMEOUT_SECONDS: Final = 2.0
_NOT_ALLOWED: Final = 530
_REFUSED: Final = 403

# aiormq logs a lost connection with a traceback; the one line of a BrokerRefusal says the same.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)


class ClientError(Exception):
    """What keeps the example client (or a tool) from its work: one line for the person at the terminal."""


class BrokerRefusal(ClientError):
    """The broker cannot be reached, or does not let us. `code` is AMQP's, 0 where there is none."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class Login(Struct, frozen=True):
    """Where a connection goes and as whom. The password is never shown."""

    host: str
    port: int
    vhost: str
    user: str
    password: str
    heartbeat_seconds: int = 30
    name: str = "hubex"
    """The connection's name, as the broker's operators see it."""

    def __repr__(self) -> str:
        return f"Login({self.user} at {self.host}:{self.port}, vhost {self.vhost})"

    @property
    def url(self) -> URL:
        return URL.build(
            scheme="amqp",
            user=self.user,
            password=self.password,
            host=self.host,
            port=self.port,
            path="/" + self.vhost.replace("/", "%2F"),
            query={"heartbeat": str(self.heartbeat_seconds), "name": self.name},
        )


def client_in(config: Config, client_id: str, vhost: str = "") -> tuple[Client, Directory]:
    """The client and the directory of the vhost it acts in: `vhost`, else the first of the configuration
    that it is on. Raises ClientError, SettingsError."""
    clients = read_directory(config.directory.file, config.directory.extra_ids)
    vhosts = [known.name for known in config.vhosts if not vhost or known.name == vhost]
    if not vhosts:
        raise ClientError(f"vhost {vhost!r} is not in the configuration: {_listed(v.name for v in config.vhosts)}")
    for name in vhosts:
        directory = Directory(clients, name)
        if client_id in directory.by_id:
            return directory.by_id[client_id], directory
    raise ClientError(f"client {client_id!r} is not on {_listed(vhosts)} in {config.directory.file}")


def _listed(names: object) -> str:
    return ", ".join(map(repr, names))  # type: ignore[call-overload]


def client_login(config: Config, client_id: str, vhost: str) -> Login:
    """A client's own login. Raises ClientError when clients have no password here, SettingsError."""
    password = config.directory.clients_password()
    if not password:
        raise ClientError(
            "clients log in by certificate on this broker; to act as one, directory.clients_password_file must be"
            " set (local broker only)"
        )
    return _login(config, vhost, client_id, password, f"hubex client {client_id}")


def router_login(config: Config, vhost: str, name: str) -> Login:
    """The router's own login, for tools. Raises SettingsError."""
    return _login(config, vhost, config.broker.user, config.broker.secret(), name)


def _login(config: Config, vhost: str, user: str, password: str, name: str) -> Login:
    broker = config.broker
    return Login(broker.host, broker.port, vhost, user, password, broker.heartbeat_seconds, name)


@asynccontextmanager
async def connected(
    login: Login, transport_factory: aiormq.connection.TransportFactory | None = None
) -> AsyncIterator[AbstractConnection]:
    """An open connection, closed at the end whatever happens: politely for 2 s, then surely.

    Raises BrokerRefusal when it cannot be made.
    """
    connection = aiormq.Connection(login.url, transport_factory=transport_factory)
    async with refusals(login), asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
        try:
            await connection.connect()
        except InvalidFrameError as error:
            # The one call that aiormq expects a certain answer to while connecting is `connection.open`.
            raise ConnectionNotAllowed(_NOT_ALLOWED, "") from error
    try:
        yield connection
    finally:
        await tried(connection.close(), CLOSE_TIMEOUT_SECONDS)


@asynccontextmanager
async def refusals(login: Login) -> AsyncIterator[None]:
    """Turns what aiormq raises inside into BrokerRefusal.

    aiormq cancels its own futures when a connection goes; that cancel is the broker's doing, one of the
    calling task passes.
    """
    try:
        yield
    except BrokerRefusal:
        raise
    except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
        raise BrokerRefusal(*_explained(error, login)) from error
    except Exception as error:
        # A call that waits when its connection closes without a reason gets a bare Exception from aiormq.
        if type(error) is not Exception:
            raise
        raise BrokerRefusal(f"the connection to {_place(login)} was lost") from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BrokerRefusal(f"the connection to {_place(login)} was lost") from None


def _place(login: Login) -> str:
    return f"{login.host}:{login.port}"


def _explained(error: Exception, login: Login) -> tuple[str, int]:
    """One line for people, by the type and the code of the error, never by its text."""
    match error:
        case ProbableAuthenticationError():
            who = f"the broker at {_place(login)} refuses the login of {login.user!r}"
            return f"{who}: wrong password, or a user that it does not have", _REFUSED
        case AuthenticationError():
            return f"the broker at {_place(login)} takes no login by password", _REFUSED
        case ConnectionClosed() if _code(error) == _NOT_ALLOWED or isinstance(error, ConnectionNotAllowed):
            return (
                f"vhost {login.vhost!r} is not on the broker at {_place(login)}, or {login.user!r} may not enter it",
                _NOT_ALLOWED,
            )
        case ChannelAccessRefused():
            return f"the broker does not let {login.user!r} do this in vhost {login.vhost!r}", _REFUSED
        case ChannelNotFoundEntity():
            return f"an exchange or a queue is missing in vhost {login.vhost!r}: has the topology been applied?", 404
        case PublishError():
            return "the broker returned the message: no queue takes its key", 312
        case DeliveryError():
            return "the broker did not store the message (nack): its queue is full, or ill", 0
        case TimeoutError():
            return f"the broker at {_place(login)} does not answer", 0
        case AMQPConnectionError() | OSError():
            return f"no broker answers at {_place(login)}, or the connection to it was lost", 0
        case _:
            return f"the broker at {_place(login)} ended the conversation ({type(error).__name__})", _code(error)


def _code(error: Exception) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
