"""The slow path: parsed bytes, the verdict, and every fault of what is refused.

The law: a message holds exactly one use case, found by its root element; none or two are refused, whatever one of them
is worth. The header is due where the use case says so. What the models leave open (fields beside the use case in
`message`, fields beside `message`) passes.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
import orjson

from validators.collect import collect
from validators.compiled import CodeStore
from validators.faults import ContentFaults, EnoughFaults, Fault, Findings, field_path
from validators.nodes import Object
from validators.nomenclatures import Watch
from validators.verdict import Verdict, compile_all

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_PATH_TO_MESSAGE: Final = ("jsonContent", "embeddedJsonContent", "message")
_FITTING_ELEMENT: Final[dict[str, Any]] = {"jsonContent": {"embeddedJsonContent": {"message": {}}}}


class Model:
    """One model: `node` its class tree, `valid(value)` its verdict."""

    def __init__(self, name: str, node: Object, valid: Verdict) -> None:
        self.name = name
        self.node = node
        self.valid = valid


class Checks:
    """The slow checks of a pack. `envelope` judges whole messages, `content` an object of the `content` field alone,
    both with the messages inside as any object; `use_cases`: with header or not, and the model, by root element."""

    def __init__(
        self, envelope: Model, content: Model, header: Model, use_cases: Mapping[str, tuple[bool, Model]]
    ) -> None:
        self._envelope = envelope
        self._content = content
        self._header = header
        self._use_cases = use_cases
        self._roots = ", ".join(use_cases)
        self._watch = Watch([header.node, *(model.node for _, model in use_cases.values())])

    def compile(self, store: CodeStore) -> None:
        """Make every verdict function."""
        models = (self._envelope, self._content, self._header, *(model for _, model in self._use_cases.values()))
        compile_all([model.valid for model in models], store)

    def classes(self) -> tuple[Object, Object, dict[str, Object]]:
        """The root classes of the envelope, of the header, and of each use case by its root element."""
        cases = {root: model.node for root, (_, model) in self._use_cases.items()}
        return self._envelope.node, self._header.node, cases

    def content(self, content: bytes | msgspec.Raw) -> tuple[str, ...]:
        """As `Pack.check`."""
        return self._judge({"content": parse(content)}, self._content)

    def envelope(self, body: bytes) -> tuple[Fault, ...]:
        """As `Pack.check_envelope`."""
        try:
            value = parse(body)
            if isinstance(value, dict) and isinstance(value.get("content"), list):
                value["content"] = [_FITTING_ELEMENT] if value["content"] else []
            if not self._envelope.valid(value):
                raise ContentFaults(self._found(value, self._envelope, with_messages=False))
        except ContentFaults as refused:
            return refused.faults
        return ()

    def message(self, body: bytes) -> tuple[Fault, ...]:
        """As `Pack.check_message`."""
        try:
            self._judge(parse(body), self._envelope)
        except ContentFaults as refused:
            return refused.faults
        return ()

    def warnings(self, content: bytes | msgspec.Raw) -> tuple[Fault, ...]:
        """As `Pack.warnings`."""
        found: list[Fault] = []
        try:
            value = {"content": parse(content)}
        except ContentFaults:
            return ()
        for path, message in _messages(value):
            self._watch.warnings(message, self._header.node, path, found)
            for root, (_, model) in self._use_cases.items():
                if root in message:
                    self._watch.warnings(message[root], model.node, field_path(path, root), found)
        return tuple(found)

    def case(self, root: str, body: Any, path: str) -> tuple[Fault, ...]:
        """As `Pack.check_case`."""
        model = self._use_cases[root][1]
        if model.valid(body):
            return ()
        findings = Findings()
        with suppress(EnoughFaults):
            collect(body, model.node, path, findings)
        return findings.faults() or (Fault(path, "model", model.name, "object"),)

    def warnings_of_case(self, root: str, body: Any, path: str) -> tuple[Fault, ...]:
        """As `Pack.warnings_of_case`."""
        found: list[Fault] = []
        self._watch.warnings(body, self._use_cases[root][1].node, path, found)
        return tuple(found)

    def models_in(self, value: Any) -> tuple[str, ...]:
        """As `Pack.models_in`."""
        return tuple(
            model.name
            for _, message in _messages(value)
            for root, (_, model) in self._use_cases.items()
            if root in message
        )

    def _judge(self, value: Any, outline: Model) -> tuple[str, ...]:
        """The verdict on a value and the messages in it: their models, or ContentFaults."""
        if outline.valid(value):
            models = [self._model_of(message) for _, message in _messages(value)]
            if None not in models:
                return tuple(model for model in models if model is not None)
        raise ContentFaults(self._found(value, outline))

    def _model_of(self, message: Any) -> str | None:
        """The use-case model of a valid message, else None."""
        roots = [root for root in self._use_cases if root in message]
        if len(roots) != 1:
            return None
        headed, model = self._use_cases[roots[0]]
        if (headed and not self._header.valid(message)) or not model.valid(message[roots[0]]):
            return None
        return model.name

    def _found(self, value: Any, outline: Model, with_messages: bool = True) -> tuple[Fault, ...]:
        findings = Findings()
        try:
            collect(value, outline.node, "$", findings)
            if with_messages:
                for path, message in _messages(value):
                    self._collect_message(message, path, findings)
        except EnoughFaults:
            pass
        # The verdict stands even where no fault can be named; the tests know of no such case.
        return findings.faults() or (Fault("$", "model", outline.name, "object"),)

    def _collect_message(self, message: dict[str, Any], path: str, findings: Findings) -> None:
        present = {root: self._use_cases[root] for root in self._use_cases if root in message}
        if len(present) != 1:
            findings.add(path, "use_case", self._roots, "several" if present else "none")
        begun = not present and not message.keys().isdisjoint(self._header.node.fields)
        if begun or any(headed for headed, _ in present.values()):
            collect(message, self._header.node, path, findings)
        for root, (_, model) in present.items():
            collect(message[root], model.node, field_path(path, root), findings)


def parse(body: bytes | msgspec.Raw) -> Any:
    """The value of a JSON text; ContentFaults when it is none, or not in UTF-8. The last of two equal names wins.

    Not JSON to us, besides what the grammar refuses: a byte-order mark, more than 1024 levels, a number beyond a
    double, a lone surrogate.
    """
    try:
        str(body, "utf-8")
    except UnicodeDecodeError:
        raise ContentFaults([Fault("$", "utf8", "UTF-8", "bytes")]) from None
    try:
        return orjson.loads(memoryview(body))
    except orjson.JSONDecodeError:
        marked = bytes(memoryview(body)[:3]) == _BYTE_ORDER_MARK
        expected = "JSON without byte-order mark" if marked else "JSON"
        raise ContentFaults([Fault("$", "json", expected, "bytes")]) from None


def _messages(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The messages in a value's content, with their paths; what is no message is passed over."""
    content = value.get("content") if isinstance(value, dict) else None
    for index, element in enumerate(content if isinstance(content, list) else ()):
        found, path = element, f"$.content[{index}]"
        for name in _PATH_TO_MESSAGE:
            found = found.get(name) if isinstance(found, dict) else None
            path = f"{path}.{name}"
        if isinstance(found, dict):
            yield path, found
