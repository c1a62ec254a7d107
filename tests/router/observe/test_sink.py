import os
import subprocess
import sys
from pathlib import Path

import pytest

from router.observe.sink import Sink, check_target


def test_lines_are_appended(tmp_path: Path) -> None:
    target = tmp_path / "log"
    target.write_bytes(b"old\n")
    sink = Sink(str(target))
    assert sink.write(b"a\nb\n") == (2, None)
    sink.close()
    assert sink.write(b"c\n") == (1, None)
    sink.close()
    assert target.read_bytes() == b"old\na\nb\nc\n"
    assert target.stat().st_mode & 0o007 == 0o004  # it was there; a new one is not for everybody:
    target.unlink()
    sink.write(b"d\n")
    sink.close()
    assert target.stat().st_mode & 0o007 == 0


def test_a_full_device_is_an_answer_not_an_error() -> None:
    sink = Sink("/dev/full")
    written, failure = sink.write(b"a\nb\n")
    sink.close()
    assert written == 0 and failure is not None and failure.strerror == "No space left on device"


def test_a_missing_folder_is_an_answer_too(tmp_path: Path) -> None:
    sink = Sink(str(tmp_path / "later" / "log"))
    assert sink.write(b"a\n")[0] == 0
    (tmp_path / "later").mkdir()
    assert sink.write(b"b\n") == (1, None)
    sink.close()


def test_check_target_at_the_start(tmp_path: Path) -> None:
    check_target("-")
    check_target(str(tmp_path / "log"))
    with pytest.raises(OSError, match="No such file"):
        check_target(str(tmp_path / "none" / "log"))
    with pytest.raises(OSError, match="Is a directory"):
        check_target(str(tmp_path))


def test_a_rotated_file_is_let_go(tmp_path: Path) -> None:
    target = tmp_path / "log"
    sink = Sink(str(target))
    sink.write(b"a\n")
    target.rename(tmp_path / "log.1")
    sink.follow()
    sink.write(b"b\n")
    sink.follow()
    sink.write(b"c\n")
    sink.close()
    assert (tmp_path / "log.1").read_bytes() == b"a\n"
    assert target.read_bytes() == b"b\nc\n"


FILLING_DISK = """
import resource, sys
from router.observe.sink import Sink
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # as a disk that is full after 1000 bytes
sink = Sink(sys.argv[1])
written, failure = sink.write(b"".join(b"%098d\\n" % n for n in range(15)))
print(written, type(failure).__name__)
print(*sink.write(b"x" * 98 + b"\\n"))
"""


def test_a_disk_that_fills_up_within_a_chunk_leaves_no_torn_line(tmp_path: Path) -> None:
    target = tmp_path / "log"
    told = subprocess.run(
        [sys.executable, "-c", FILLING_DISK, str(target)], capture_output=True, text=True, check=True, cwd=Path.cwd()
    ).stdout.splitlines()
    assert told[0] == "10 OSError"
    assert told[1].startswith("0 ")
    assert target.read_bytes() == b"".join(b"%098d\n" % n for n in range(10))


def test_a_pipe_that_somebody_made_non_blocking_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    script = """
import sys
from router.observe.sink import Sink
print(Sink("-").write(b"".join(b"%0999d\\n" % n for n in range(500))), file=sys.stderr)
"""
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    assert writer.communicate()[1] == b"(500, None)\n"
    assert data == b"".join(b"%0999d\n" % n for n in range(500))


def test_a_torn_line_is_taken_back_only_where_the_end_is_ours(tmp_path: Path) -> None:
    """Standard output redirected without O_APPEND has an offset of its own: cutting it would leave a hole."""
    with (tmp_path / "out").open("wb") as out:
        subprocess.run(
            [sys.executable, "-c", FILLING_DISK, "-"],
            stdout=out,
            stderr=subprocess.DEVNULL,
            cwd=Path.cwd(),
            check=False,
        )
    data = (tmp_path / "out").read_bytes()
    assert data.startswith(b"%098d\n" % 0) and b"\0" not in data
