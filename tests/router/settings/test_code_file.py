"""The file of a pack's code: whole, and of nobody but root and the hub's user."""

import os
from pathlib import Path

import pytest

from router.settings.code_file import CodeFile


def test_the_file_gives_back_what_was_written_and_nobody_else_may_write_it(tmp_path: Path) -> None:
    store = CodeFile(tmp_path)
    assert store.read() is None
    store.write(b"first")
    store.write(b"second")
    assert CodeFile(tmp_path).read() == b"second"
    assert store.path.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in store.path.parent.iterdir()] == [store.path.name]


@pytest.mark.parametrize("mode", (0o666, 0o664, 0o646))
def test_a_file_that_others_may_write_is_not_read(tmp_path: Path, mode: int) -> None:
    store = CodeFile(tmp_path)
    store.write(b"code")
    store.path.chmod(mode)
    assert store.read() is None
    store.write(b"ours")
    assert store.read() == b"ours"


def test_a_file_of_another_user_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CodeFile(tmp_path)
    store.write(b"code")
    try:
        os.chown(store.path, 12_345, -1)
    except PermissionError:
        pytest.skip("only root gives files away")
    assert store.read() is None


def test_a_link_a_folder_and_a_pipe_are_not_read(tmp_path: Path) -> None:
    store = CodeFile(tmp_path)
    store.path.parent.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"code")
    store.path.symlink_to(tmp_path / "elsewhere")
    assert store.read() is None
    store.path.unlink()
    store.path.mkdir()
    assert store.read() is None
    store.write(b"code")  # cannot, and leaves nothing behind
    assert [path.name for path in store.path.parent.iterdir()] == [store.path.name]
    store.path.rmdir()
    os.mkfifo(store.path)
    assert store.read() is None
