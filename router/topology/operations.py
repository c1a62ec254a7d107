"""One change of the broker each, as a value that prints as one line: `+` makes, `~` changes, `-` takes
away."""

from msgspec import Struct

from router.topology.objects import Binding, Exchange, Policy, Queue, Rights, TopicRights


class CreateVhost(Struct, frozen=True):
    vhost: str

    def __str__(self) -> str:
        return f"+ [{self.vhost}] vhost"


class PutPolicy(Struct, frozen=True):
    vhost: str
    policy: Policy
    before: Policy | None = None

    def __str__(self) -> str:
        if self.before is None:
            return f"+ [{self.vhost}] policy {self.policy.name} on {self.policy.pattern}"
        return f"~ [{self.vhost}] policy {self.policy.name}: {', '.join(_changes(self.before, self.policy))}"


def _changes(before: Policy, after: Policy) -> list[str]:
    changes = [
        f"{name} {getattr(before, name)} -> {getattr(after, name)}"
        for name in ("pattern", "apply_to", "priority")
        if getattr(before, name) != getattr(after, name)
    ]
    for key in sorted(before.definition.keys() | after.definition.keys()):
        old, new = before.definition.get(key), after.definition.get(key)
        if old != new:
            changes.append(f"{key} {'-' if old is None else old} -> {'-' if new is None else new}")
    return changes


class DeletePolicy(Struct, frozen=True):
    vhost: str
    name: str

    def __str__(self) -> str:
        return f"- [{self.vhost}] policy {self.name}"


class CreateExchange(Struct, frozen=True):
    vhost: str
    exchange: Exchange

    def __str__(self) -> str:
        return f"+ [{self.vhost}] exchange {self.exchange.name} ({self.exchange.type})"


class CreateQueue(Struct, frozen=True):
    vhost: str
    queue: Queue

    def __str__(self) -> str:
        single = ", single active consumer" if self.queue.single_active else ""
        return f"+ [{self.vhost}] queue {self.queue.name} (quorum{single})"


class Bind(Struct, frozen=True):
    vhost: str
    binding: Binding

    def __str__(self) -> str:
        return f"+ [{self.vhost}] binding {_binding(self.binding)}"


class Unbind(Struct, frozen=True):
    vhost: str
    binding: Binding

    def __str__(self) -> str:
        return f"- [{self.vhost}] binding {_binding(self.binding)}"


def _binding(binding: Binding) -> str:
    return f"{binding.source} -> {binding.queue}" + (f" by {binding.key}" if binding.key else "")


class CreateUser(Struct, frozen=True):
    """`password`: whether it gets one (the router's own, or the clients' on a local broker); it is not in
    here."""

    user: str
    password: bool

    def __str__(self) -> str:
        return f"+ user {self.user}" + (" (with a password)" if self.password else " (certificate only)")


class SetTopicRights(Struct, frozen=True):
    vhost: str
    rights: TopicRights
    before: TopicRights | None = None

    def __str__(self) -> str:
        sign = "+" if self.before is None else "~"
        return f"{sign} [{self.vhost}] keys of {self.rights.user}: {self.rights.write}"


class SetRights(Struct, frozen=True):
    vhost: str
    rights: Rights
    before: Rights | None = None

    def __str__(self) -> str:
        rights, sign = self.rights, "+" if self.before is None else "~"
        patterns = f"configure {rights.configure} write {rights.write} read {rights.read}"
        return f"{sign} [{self.vhost}] rights of {rights.user}: {patterns}"


class RemoveClient(Struct, frozen=True):
    """All that a client has in a vhost and should have no more; `removal` does it, or restores it all.

    `rights` are what it has meanwhile (to restore), `rights_after` what it keeps (None: nothing).
    """

    vhost: str
    client_id: str
    queues: tuple[str, ...] = ()
    bindings: tuple[Binding, ...] = ()
    rights: Rights | None = None
    rights_after: Rights | None = None

    def __str__(self) -> str:
        what = [f"queue {queue}" for queue in self.queues]
        if self.bindings:
            what.append(f"{len(self.bindings)} bindings")
        if self.rights is not None and self.rights_after is None:
            what.append("its rights")
        return f"- [{self.vhost}] client {self.client_id}: {', '.join(what)}"


class DeleteUser(Struct, frozen=True):
    user: str

    def __str__(self) -> str:
        return f"- user {self.user}"


Operation = (
    CreateVhost
    | PutPolicy
    | DeletePolicy
    | CreateExchange
    | CreateQueue
    | Bind
    | Unbind
    | CreateUser
    | SetTopicRights
    | SetRights
    | RemoveClient
    | DeleteUser
)
