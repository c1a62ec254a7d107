"""A management API in memory: enough of RabbitMQ's answers for `apply` and `removal`, and faults to order."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from router.topology.management import Management, NotFound, Refused, Unreachable

GIB = 1 << 30


class FakeManagement(Management):
    """`calls` has every request but GET; `on_request` may raise, or return True to skip the request
    quietly."""

    def __init__(self) -> None:
        super().__init__("http://fake", "hubex-admin", "")
        self.calls: list[str] = []
        self.on_request: Callable[[str], object] = lambda _: None
        self.vhosts: dict[str, dict[str, Any]] = {}
        self.users: dict[str, dict[str, Any]] = {"hubex-admin": {"name": "hubex-admin", "tags": ["administrator"]}}
        self.nodes = [{"running": True, "disk_free": 100 * GIB, "disk_free_limit": GIB}]
        self.connections: list[dict[str, str]] = []
        self.default_depth: int | None = 0

    def depth(self, vhost: str, queue: str, messages: int | None) -> None:
        self.vhosts[vhost]["queues"][queue]["messages"] = messages

    def bindings(self, vhost: str) -> set[tuple[str, str, str]]:
        return set(self.vhosts[vhost]["bindings"])

    def rights(self, vhost: str, user: str) -> dict[str, str] | None:
        found = self.vhosts[vhost]["permissions"].get(user)
        return {key: found[key] for key in ("configure", "write", "read")} if found else None

    # ---- the four verbs ------------------------------------------------------------------------

    def get(self, *path: str) -> Any:
        match path:
            case ("vhosts",):
                return [{"name": name} for name in self.vhosts]
            case ("users",):
                return list(self.users.values())
            case ("nodes",):
                return self.nodes
            case ("permissions",):
                return [right for vhost in self.vhosts.values() for right in vhost["permissions"].values()]
            case ("vhosts", vhost, "permissions"):
                return list(self._vhost(vhost)["permissions"].values())
            case ("vhosts", vhost, "topic-permissions"):
                return list(self._vhost(vhost)["topic"].values())
            case ("vhosts", vhost, "connections"):
                return [each for each in self.connections if each["vhost"] == vhost]
            case ("queues", vhost, queue):
                return self._found(self._vhost(vhost)["queues"], queue)
            case ("bindings", vhost, "e", source, "q", queue):
                there = (key for of, to, key in self._vhost(vhost)["bindings"] if (of, to) == (source, queue))
                return [{"routing_key": key, "properties_key": quote(key, safe="") or "~"} for key in there]
            case ("bindings", vhost):
                return [
                    {"source": of, "destination": to, "destination_type": "queue", "routing_key": key}
                    for of, to, key in (*self._vhost(vhost)["bindings"], ("", "default", "default"))
                ]
            case (kind, vhost):
                return list(self._vhost(vhost)[kind].values())
        raise AssertionError(path)

    def put(self, *path: str, body: Any) -> None:
        if self._skipped("PUT", path):
            return
        match path:
            case ("vhosts", vhost):
                kinds = ("exchanges", "queues", "policies", "permissions", "topic", "bindings")
                self.vhosts.setdefault(vhost, {kind: {} for kind in kinds})
            case ("users", user):
                assert ("password" in body) != ("password_hash" in body)
                self.users[user] = {"name": user, "tags": [], **body}
            case ("permissions", vhost, user):
                self._found(self.users, user)
                self._vhost(vhost)["permissions"][user] = {"user": user, "vhost": vhost, **body}
            case ("topic-permissions", vhost, user):
                self._vhost(vhost)["topic"][user, body["exchange"]] = {"user": user, "vhost": vhost, **body}
            case ("queues", vhost, queue):
                old = self._vhost(vhost)["queues"].get(queue)
                if old and old["arguments"] != body["arguments"]:
                    raise Refused(f"PUT {queue}", 400, "inequivalent arg")
                self._vhost(vhost)["queues"].setdefault(queue, {"name": queue, "messages": self.default_depth, **body})
            case (kind, vhost, name):
                self._vhost(vhost)[kind][name] = {"name": name, "vhost": vhost, **body}

    def post(self, *path: str, body: Any) -> Any:
        if self._skipped("POST", path, body["routing_key"]):
            return
        _, vhost, _, source, _, queue = path
        self._found(self._vhost(vhost)["queues"], queue)
        self._vhost(vhost)["bindings"][source, queue, body["routing_key"]] = True

    def delete(self, *path: str) -> None:
        if self._skipped("DELETE", path):
            return
        match path:
            case ("connections", name):
                self.connections = [each for each in self.connections if each["name"] != name]
            case ("users", user):
                self._found(self.users, user)
                del self.users[user]
            case ("topic-permissions", vhost, user):
                topic = self._vhost(vhost)["topic"]
                self._vhost(vhost)["topic"] = {key: value for key, value in topic.items() if key[0] != user}
            case ("bindings", vhost, "e", source, "q", queue, properties):
                bindings = self._vhost(vhost)["bindings"]
                for each in [each for each in bindings if each[:2] == (source, queue)]:
                    if (quote(each[2], safe="") or "~") == properties:
                        del bindings[each]
            case (kind, vhost, name):
                self._found(self._vhost(vhost)[kind], name)
                del self._vhost(vhost)[kind][name]

    def _skipped(self, verb: str, path: tuple[str, ...], *more: str) -> bool:
        call = " ".join((verb, *path, *more))
        skip = self.on_request(call) is True
        self.calls.append(call)
        return skip

    def _vhost(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._found(self.vhosts, name)
        return found

    @staticmethod
    def _found(where: dict[str, Any], name: str) -> Any:
        if name not in where:
            raise NotFound(name)
        return where[name]


def failing_at(part: str) -> Callable[[str], object]:
    """Raises Unreachable once, at the first request with this in it."""
    left = [part]

    def check(call: str) -> None:
        if left and left[0] in call:
            left.clear()
            raise Unreachable("gone")

    return check
