"""One operation, one request to the management API. Each is idempotent: doing it twice is doing it once."""

from collections.abc import Callable
from functools import partial

from router.settings.config import Config
from router.topology.management import Management, NotFound
from router.topology.objects import Binding, Rights, TopicRights
from router.topology.operations import (
    Bind,
    CreateExchange,
    CreateQueue,
    CreateUser,
    CreateVhost,
    DeletePolicy,
    DeleteUser,
    Operation,
    PutPolicy,
    RemoveClient,
    SetRights,
    SetTopicRights,
    Unbind,
)


def perform(api: Management, operation: Operation, config: Config) -> None:
    """Does it. Raises ManagementError; ConfigError when a secret cannot be read. RemoveClient is not done
    here."""
    match operation:
        case CreateVhost(vhost=vhost):
            api.put("vhosts", vhost, body={})
        case PutPolicy(vhost=vhost, policy=policy):
            body = {
                "pattern": policy.pattern,
                "apply-to": policy.apply_to,
                "priority": policy.priority,
                "definition": policy.definition,
            }
            api.put("policies", vhost, policy.name, body=body)
        case DeletePolicy(vhost=vhost, name=name):
            gone(partial(api.delete, "policies", vhost, name))
        case CreateExchange(vhost=vhost, exchange=exchange):
            api.put("exchanges", vhost, exchange.name, body={"type": exchange.type, "durable": True})
        case CreateQueue(vhost=vhost, queue=queue):
            api.put("queues", vhost, queue.name, body={"durable": True, "arguments": queue.arguments})
        case Bind(vhost=vhost, binding=binding):
            bind(api, vhost, binding)
        case Unbind(vhost=vhost, binding=binding):
            unbind(api, vhost, binding)
        case CreateUser(user=user):
            api.put("users", user, body={**_password(config, user), "tags": ""})
        case SetTopicRights(vhost=vhost, rights=topic_rights):
            set_topic_rights(api, vhost, topic_rights)
        case SetRights(vhost=vhost, rights=rights):
            set_rights(api, vhost, rights)
        case DeleteUser(user=user):
            gone(partial(api.delete, "users", user))
        case RemoveClient():
            raise TypeError("a client is removed by `removal`")


def gone(delete: Callable[[], None]) -> None:
    """Deletes, and is content when it was gone already."""
    try:
        delete()
    except NotFound:
        pass


def bind(api: Management, vhost: str, binding: Binding) -> None:
    path = ("bindings", vhost, "e", binding.source, "q", binding.queue)
    api.post(*path, body={"routing_key": binding.key, "arguments": {}})


def unbind(api: Management, vhost: str, binding: Binding) -> None:
    """All bindings between the two by this key; content when there is none."""
    path = ("bindings", vhost, "e", binding.source, "q", binding.queue)
    try:
        there = api.get(*path)
    except NotFound:
        return
    for each in there:
        if each["routing_key"] == binding.key:
            gone(partial(api.delete, *path, str(each["properties_key"])))


def set_rights(api: Management, vhost: str, rights: Rights) -> None:
    patterns = {"configure": rights.configure, "write": rights.write, "read": rights.read}
    api.put("permissions", vhost, rights.user, body=patterns)


def set_topic_rights(api: Management, vhost: str, rights: TopicRights) -> None:
    patterns = {"exchange": rights.exchange, "write": rights.write, "read": rights.read}
    api.put("topic-permissions", vhost, rights.user, body=patterns)


def clear_rights(api: Management, vhost: str, user: str) -> None:
    """Rights first, key rights after: without key rights, whoever may write may use any key."""
    gone(partial(api.delete, "permissions", vhost, user))
    gone(partial(api.delete, "topic-permissions", vhost, user))


def close_connections(api: Management, vhost: str, users: frozenset[str]) -> None:
    """Closes these users' connections to the vhost, as far as the API knows of them by now."""
    for connection in api.get("vhosts", vhost, "connections"):
        if connection.get("user") in users:
            gone(partial(api.delete, "connections", str(connection["name"])))


def _password(config: Config, user: str) -> dict[str, str]:
    """Always one of the two: a user made without either can log in with an empty password on older
    brokers."""
    secret = config.broker.secret() if user == config.broker.user else config.directory.clients_password()
    return {"password": secret} if secret else {"password_hash": ""}
