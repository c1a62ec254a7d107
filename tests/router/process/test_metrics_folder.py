import os
from pathlib import Path

import pytest

from router.process.metrics_folder import make_metrics_folder, remove_metrics_folder


def test_each_run_begins_with_an_empty_folder(tmp_path: Path) -> None:
    first = make_metrics_folder("127.0.0.1-9419", tmp_path)
    (first / "counter_worker0.db").write_bytes(b"old")
    second = make_metrics_folder("127.0.0.1-9419", tmp_path)
    assert not first.exists() and list(second.iterdir()) == []
    assert second.stat().st_mode & 0o777 == second.parent.stat().st_mode & 0o777 == 0o700
    assert make_metrics_folder("::1-9419", tmp_path).parent != second.parent
    remove_metrics_folder(second)
    assert not second.parent.exists()


def test_a_folder_that_is_a_trap_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"hubex-{os.getuid()}-x").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    with pytest.raises(PermissionError):
        make_metrics_folder("x", tmp_path)
    assert (tmp_path / "elsewhere" / "kept").exists()


def test_without_a_parent_it_lies_in_memory_or_the_temporary_folder() -> None:
    folder = make_metrics_folder(f"test-{os.getpid()}")
    assert folder.is_dir()
    remove_metrics_folder(folder)
    assert not folder.parent.exists()
