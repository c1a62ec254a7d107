"""The slow path's functions of a whole pack as code, made once and kept: the file is shared by the hub's processes.

The law: what is compiled is what is hashed. The key covers the translated schemas, the compiler's version and options,
and Python's; code under another key, damaged or cut, is made anew. Whoever keeps it (`CodeStore`) vouches for who wrote
it: it is executed.
"""

import hashlib
import marshal
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import MAGIC_NUMBER
from types import CodeType
from typing import Any, Final, Protocol

import fastjsonschema
import orjson

Formats = dict[str, Callable[[str], bool]]

OPTIONS: Final[dict[str, Any]] = {"use_default": False, "detailed_exceptions": False}
_DIGEST_BYTES: Final = hashlib.sha256().digest_size


class CodeStore(Protocol):
    """One place for the code of one pack. Neither method raises: without one, each process compiles for itself."""

    def read(self) -> bytes | None:
        """What was written last, by nobody who is not trusted to run code here; else None."""
        ...

    def write(self, content: bytes) -> None:
        """Keep this instead, whole or not at all."""
        ...


class NoStore:
    """Keeps nothing."""

    def read(self) -> bytes | None:
        """None."""
        return None

    def write(self, content: bytes) -> None:
        """Does nothing."""


NO_STORE: Final = NoStore()


def kept(schemas: Sequence[dict[str, Any]], store: CodeStore) -> list[CodeType] | None:
    """The code of these translated schemas, in their order, as `store` has it; else None."""
    content = store.read()
    if content is None or content[:_DIGEST_BYTES] != _key(schemas):
        return None
    payload = content[2 * _DIGEST_BYTES :]
    if content[_DIGEST_BYTES : 2 * _DIGEST_BYTES] != hashlib.sha256(payload).digest():
        return None
    codes: list[CodeType] = marshal.loads(payload)
    return codes


def keep(schemas: Sequence[dict[str, Any]], codes: Sequence[CodeType], store: CodeStore) -> None:
    """Hand the code to `store`."""
    payload = marshal.dumps(list(codes))
    store.write(_key(schemas) + hashlib.sha256(payload).digest() + payload)


def code_of(schema: dict[str, Any], formats: Formats) -> CodeType:
    """The code of one translated schema (tens of milliseconds for a large one)."""
    text = fastjsonschema.compile_to_code(schema, formats=formats, **OPTIONS)
    return compile(text, "<schema>", "exec", dont_inherit=True)


def function_of(code: CodeType, formats: Formats) -> Callable[[Any], Any]:
    """The function of a schema's code; it raises JsonSchemaValueException for what is refused."""
    made: dict[str, Any] = {}
    exec(code, made)
    return partial(made["validate"], custom_formats=formats)


def _key(schemas: Sequence[dict[str, Any]]) -> bytes:
    versions = [fastjsonschema.VERSION, MAGIC_NUMBER.hex(), OPTIONS]
    return hashlib.sha256(orjson.dumps([versions, schemas])).digest()
