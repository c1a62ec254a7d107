"""A model pack: the checks of one vhost, loaded from a folder of JSON Schemas and its manifest (`loading`).

Accept fast, refuse precisely: the Structs accept (`structs`); what they do not accept is parsed and judged by
fastjsonschema, whose verdict stands, and what that refuses is walked to list every fault (`checks`).
"""

from typing import Any

import msgspec

from validators.checks import Checks
from validators.compiled import NO_STORE, CodeStore
from validators.faults import Fault
from validators.manifest import Manifest
from validators.structs import Acceptor
from validators.xml import XmlForm, XmlReading


class Pack:
    """The checks of one model pack. Nothing but `ContentFaults` is raised, whatever the bytes."""

    def __init__(self, manifest: Manifest, listed: Acceptor, acceptor: Acceptor, checks: Checks) -> None:
        """`listed` takes only what draws every code from its nomenclature, `acceptor` whatever the schemas take."""
        self.manifest = manifest
        self.name = manifest.pack
        self.version = manifest.version
        self._accept_listed = listed.accept
        self._accept = acceptor.accept
        self._checks = checks
        self.xml = XmlForm(manifest, *checks.classes())
        """Its messages and use cases in XML: read into JSON text, written from it."""

    def check(self, content: bytes | msgspec.Raw) -> tuple[str, ...]:
        """The use-case model of each content element ("RC-EDA", …) of a valid content.

        `content` is the raw JSON of the envelope's `content` field. Raises ContentFaults with every fault otherwise.
        """
        return self._accept(content) or self._checks.content(content)

    def judge(self, content: bytes | msgspec.Raw) -> tuple[tuple[str, ...], tuple[Fault, ...]]:
        """`check` and `warnings` in one: for most messages one decoding, which finds nothing to warn of."""
        models = self._accept_listed(content)
        return (models, ()) if models is not None else (self.check(content), self.warnings(content))

    def check_envelope(self, body: bytes) -> tuple[Fault, ...]:
        """The faults of a whole message's envelope, the content's elements not looked into; () when there are none."""
        return self._checks.envelope(body)

    def check_message(self, body: bytes) -> tuple[Fault, ...]:
        """All faults of a whole message, the envelope's first; () when there are none."""
        return self._checks.message(body)

    def warnings(self, content: bytes | msgspec.Raw) -> tuple[Fault, ...]:
        """The codes of a valid content that are outside their nomenclature (`nomenclatures`), `content` as in `check`.

        Paths are those of `check`; () for what cannot be parsed.
        """
        return self._checks.warnings(content)

    def check_case(self, root: str, body: Any, path: str) -> tuple[Fault, ...]:
        """All faults of the parsed body of one use case, by its root element; `path` is that of the body."""
        return self._checks.case(root, body, path)

    def warnings_of_case(self, root: str, body: Any, path: str) -> tuple[Fault, ...]:
        """As `warnings`, of the parsed body of one use case."""
        return self._checks.warnings_of_case(root, body, path)

    def models_in(self, value: Any) -> tuple[str, ...]:
        """The models that a parsed whole message seems to hold, by their root elements, valid or not."""
        return self._checks.models_in(value)

    def all_faults(self, reading: XmlReading) -> tuple[Fault, ...]:
        """All faults of a whole message read from XML, XML's own first; () when there are none."""
        return reading.all_faults(self.check_message(reading.json))

    def compile(self, store: CodeStore = NO_STORE) -> None:
        """Make the slow path's functions now rather than at the first refusal of each model; a tenth of a second, or a
        few milliseconds when `store` has their code."""
        self._checks.compile(store)
