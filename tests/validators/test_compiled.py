"""Code that is kept: made once, taken by its content, never when damaged."""

import time
from pathlib import Path

import pytest

from router.settings.code_file import CodeFile
from tests.validators.support import PACK_FOLDER, content_bytes, own_message, wrapped
from validators import ContentFaults, Pack, compiled, load_pack, verdict


class Kept:
    """A place in memory."""

    def __init__(self) -> None:
        self.content: bytes | None = None
        self.writes = 0

    def read(self) -> bytes | None:
        return self.content

    def write(self, content: bytes) -> None:
        self.content = content
        self.writes += 1


@pytest.fixture(scope="module")
def made() -> bytes:
    store = Kept()
    load_pack(PACK_FOLDER).compile(store)
    assert store.content is not None
    return store.content


def judges(pack: Pack) -> None:
    """The slow path of the pack takes and refuses as it should."""
    assert pack._checks.content(content_bytes(own_message())) == ("RC-EDA",)
    with pytest.raises(ContentFaults) as refused:
        pack._checks.content(content_bytes(wrapped("createCase", {})))
    assert "required" in {fault.rule for fault in refused.value.faults}


def test_kept_code_is_used_and_nothing_is_compiled(made: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Kept()
    store.content = made
    monkeypatch.delattr(verdict, "code_of")  # compiling would fail
    pack = load_pack(PACK_FOLDER)
    pack.compile(store)
    judges(pack)
    assert store.writes == 0


@pytest.mark.parametrize(
    "damage",
    (
        lambda content: b"",
        lambda content: content[:10],
        lambda content: content[:-1],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content[:70] + b"\xff" + content[71:],
        lambda content: bytes([content[0] ^ 1]) + content[1:],
    ),
    ids=("empty", "key cut", "cut", "last bit", "inside", "another key"),
)
def test_damaged_or_foreign_code_is_made_anew(made: bytes, damage: object) -> None:
    store = Kept()
    store.content = damage(made)  # type: ignore[operator]
    pack = load_pack(PACK_FOLDER)
    pack.compile(store)
    judges(pack)
    assert store.content == made


def test_another_pack_or_another_compiler_has_another_key(made: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for change in (
        lambda: load_pack(PACK_FOLDER.parent / "v2"),
        lambda: monkeypatch.setattr(compiled, "OPTIONS", {**compiled.OPTIONS, "use_default": True}),
        lambda: monkeypatch.setattr(compiled.fastjsonschema, "VERSION", "0"),
        lambda: monkeypatch.setattr(compiled, "MAGIC_NUMBER", b"other"),
    ):
        store = Kept()
        store.content = made
        changed = change()
        (changed or load_pack(PACK_FOLDER)).compile(store)
        assert store.writes == 1
        monkeypatch.undo()


def test_without_a_place_to_write_there_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = CodeFile(tmp_path / "file")  # no folder: nobody, root included, writes below it
    store.write(b"code")
    assert store.read() is None
    pack = load_pack(PACK_FOLDER)
    pack.compile(store)
    judges(pack)


def test_a_warm_start_takes_less_than_300_ms(tmp_path: Path) -> None:
    store = CodeFile(tmp_path)
    load_pack(PACK_FOLDER).compile(store)
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        load_pack(PACK_FOLDER).compile(store)
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.3, took
