import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from router.process.metrics_folder import MetricsFolder

ROOT = Path(__file__).parents[3]
HOLD = """
import sys
from pathlib import Path
from router.process.metrics_folder import MetricsFolder
print(MetricsFolder(Path(sys.argv[1])).path, flush=True)
sys.stdin.read()
"""


def age(path: Path) -> None:
    os.utime(path, (time.time() - 3600, time.time() - 3600))


def test_each_run_has_a_private_empty_folder_until_its_end(tmp_path: Path) -> None:
    first, second = MetricsFolder(tmp_path), MetricsFolder(tmp_path)
    assert first.path != second.path and not list(second.path.iterdir())
    assert second.path.stat().st_mode & 0o777 == 0o700
    (first.path / "counter_worker0.db").touch()
    first.close()
    second.close()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_run_left_is_removed_and_a_live_run_is_left_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    holders = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)
    ]
    live, dead = (Path((holder.stdout and holder.stdout.readline() or "").strip()) for holder in holders)
    holders[1].send_signal(signal.SIGKILL)
    holders[1].wait()
    MetricsFolder(tmp_path).close()
    assert live.exists() and dead.exists(), "a young folder may be one that has no lock yet"
    for folder in (live, dead):
        age(folder)
    MetricsFolder(tmp_path).close()
    assert live.exists() and not dead.exists()
    holders[0].communicate()
    holders[1].communicate()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere" / "kept"
    kept.parent.mkdir()
    kept.touch()
    link = tmp_path / f"hubex-metrics-{os.getuid()}-x"
    link.symlink_to(kept.parent)
    os.utime(link, (0, 0), follow_symlinks=False)
    MetricsFolder(tmp_path).close()
    assert kept.exists()


def test_without_a_parent_it_lies_in_memory_or_the_temporary_folder() -> None:
    folder = MetricsFolder()
    assert folder.path.is_dir()
    folder.close()
    assert not folder.path.exists()
