"""`hubex validate` and `hubex convert`: what they take, print and write, and how they end."""

import io
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.cli import app as command_line
from router.cli.files import _Progress
from tests.validators.support import OWN, REFERENCE, own_bodies, own_message, pack
from validators.documents import judge

Shell = Callable[..., tuple[int, str, str]]
SAMPLES = REFERENCE / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no ../shared here")


@pytest.fixture
def shell(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs `hubex …` in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            command_line.assemble(list(arguments))(list(arguments))
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        code = ended.value.code
        return code if isinstance(code, int) else 0 if code is None else 1, out.decode(), err.decode()

    return run


def put(path: Path, value: Any) -> str:
    path.write_text(json.dumps(value))
    return str(path)


def objects(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


# ---- validate ------------------------------------------------------------------------------------


def test_a_valid_message_and_a_body_alone(shell: Shell, tmp_path: Path) -> None:
    body = put(tmp_path / "body", {"reference": own_bodies()["reference"]})
    code, out, err = shell("validate", str(OWN / "rc-eda.json"), body)
    assert (code, err) == (0, "")
    assert out.splitlines() == [f"{OWN / 'rc-eda.json'} : valide, RC-EDA", f"{body} : valide, RC-REF"]


def test_each_fault_is_told_in_the_language_and_form_asked_for(shell: Shell, tmp_path: Path) -> None:
    file = put(tmp_path / "bad", {"technicalNoreq": {"integerField": "x", "beside": 1}})
    code, out, _ = shell("validate", "--lang", "en", file)
    assert code == 1
    assert out.splitlines()[:2] == [
        f"{file}: refused, TECHNICAL_NOREQ",
        "    $.technicalNoreq.integerField: expected: a whole number, found: a text",
    ]
    assert len(out.splitlines()) == 3
    code, out, _ = shell("validate", "--format", "json", file)
    (shown,) = objects(out)
    assert code == 1
    assert list(shown) == ["file", "valid", "model", "errors", "warnings"]
    assert (shown["file"], shown["valid"], shown["model"], shown["warnings"]) == (file, False, "TECHNICAL_NOREQ", [])
    assert [(error["path"], error["rule"]) for error in shown["errors"]] == [
        ("$.technicalNoreq.integerField", "type"),
        ("$.technicalNoreq.beside", "unknown"),
    ]
    assert shown["errors"][0]["message"] == "attendu : un nombre entier, trouvé : un texte"


def test_a_code_outside_its_nomenclature_is_a_warning_and_no_refusal(shell: Shell, tmp_path: Path) -> None:
    message = own_message()
    qualification = message["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["createCase"][
        "qualification"
    ]
    qualification["whatsHappen"]["code"] = "C99.99.99"
    code, out, _ = shell("validate", "--format", "json", put(tmp_path / "w", message))
    (shown,) = objects(out)
    assert (code, shown["valid"], shown["errors"]) == (0, True, [])
    assert [warning["rule"] for warning in shown["warnings"]] == ["nomenclature"]
    assert "C99.99.99" not in out


def test_a_body_without_its_root_needs_its_model(shell: Shell, tmp_path: Path) -> None:
    good = put(tmp_path / "good", own_bodies()["reference"])
    bad = put(tmp_path / "bad", {**own_bodies()["reference"], "beside": 1})
    code, out, _ = shell("validate", "--format", "json", "--model", "RC-REF", good, bad)
    first, second = objects(out)
    assert code == 1 and first["valid"] and first["model"] == "RC-REF"
    assert [(error["path"], error["rule"]) for error in second["errors"]] == [("$.beside", "unknown")]
    assert shell("validate", good)[0] == 1


def test_one_file_that_cannot_be_read_does_not_stop_the_others(shell: Shell, tmp_path: Path) -> None:
    good = put(tmp_path / "good", {"reference": own_bodies()["reference"]})
    code, out, err = shell("validate", "--format", "json", str(tmp_path / "none"), str(tmp_path), good)
    assert code == 2
    shown = objects(out)
    assert [each["valid"] for each in shown] == [False, False, True]
    assert [each["errors"][0]["rule"] for each in shown[:2]] == ["file", "file"]
    assert len(err.splitlines()) == 2


def test_standard_input_and_formats_told_by_content(shell: Shell, tmp_path: Path) -> None:
    whole = json.dumps(own_message()).encode()
    code, xml, _ = shell("convert", "--to", "xml", "-", stdin=whole)
    assert code == 0 and xml.startswith("<")
    (tmp_path / "message.json").write_text("\n " + xml.partition("?>")[2])
    code, out, _ = shell("validate", "-", "message.json", stdin=whole)
    assert (code, out) == (0, "- : valide, RC-EDA\nmessage.json : valide, RC-EDA\n")


@pytest.mark.parametrize(
    ("body", "rule"),
    (
        (b"", "json"),
        (b"{", "json"),
        (b"\xff", "utf8"),
        (b"<", "xml"),
        (b"<a/>", "root"),
        (b"<!DOCTYPE a><edxlDistribution/>", "doctype"),
        (b'{"unknownCase": {}}', "use_case"),
        (b'{"createCase": []}', "type"),
        (b"{}", "required"),
        (b"[]", "type"),
        (b'{"content": []}', "required"),
        (b"[" * 5_000, "json"),
    ),
)
def test_whatever_the_bytes_there_is_a_verdict(body: bytes, rule: str) -> None:
    document = judge(pack(), body)
    assert rule in {fault.rule for fault in document.faults}
    assert document.warnings == ()


def test_misuse_is_said_in_one_line(shell: Shell, tmp_path: Path) -> None:
    for arguments in (
        ("validate", "--pack", "v0", "-"),
        ("validate", "--model", "RC-NONE", "-"),
        ("convert", "--to", "xml", "one", "two"),
        ("convert", "--to", "xml", "--out", "nowhere", "one"),
        ("convert", "--to", "xml", "--out", ".", "a/same.json", "b/same.json"),
        ("validate", "-", "-"),
    ):
        code, out, err = shell(*arguments)
        assert (code, out, len(err.splitlines())) == (2, "", 1), arguments
    for incomplete in (("validate",), ("validate", "--lang", "de", "-"), ("convert", "-")):
        assert shell(*incomplete)[0] == 2, incomplete


def test_closed_and_full_streams_end_in_one_line_too(tmp_path: Path) -> None:
    valid = str(OWN / "rc-eda.json")
    hubex = shlex.join((sys.executable, "-c", "from router.cli.app import main; main()"))
    for command, told in (
        (f"{hubex} validate - <&-", b"hubex: -: Bad file descriptor"),
        (f"{hubex} validate {valid} >&-", b"hubex: standard output is closed"),
        (f"{hubex} validate {valid} > /dev/full", b"hubex: standard output: No space left on device"),
        (f"{hubex} convert --to xml {valid} > /dev/full", b"hubex: standard output: No space left on device"),
    ):
        ended = subprocess.run(["sh", "-c", command], capture_output=True, cwd=tmp_path)
        assert (ended.returncode, ended.stderr.splitlines()) == (2, [told]), command


def test_other_packs_judge_by_their_own_models(shell: Shell) -> None:
    codes = [shell("validate", "--pack", name, str(OWN / "rc-eda.json"))[0] for name in ("v1", "v3")]
    assert codes == [1, 0]


def test_thousands_of_files_in_one_call(shell: Shell, tmp_path: Path) -> None:
    files = [put(tmp_path / f"{number}.json", own_message()) for number in range(2_000)]
    files.append(put(tmp_path / "bad.json", {}))
    code, out, err = shell("validate", "--format", "json", *files)
    shown = objects(out)
    assert (code, err) == (1, "")
    assert [each["file"] for each in shown] == files
    assert [each["valid"] for each in shown] == [True] * 2_000 + [False]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_to_a_terminal_only_and_leaves_an_empty_line(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        progress = _Progress(3)
        progress._shown_at -= 1
        progress.show(1)
        progress.show(2)  # too soon
        progress.clear()
        seen.append(stream.getvalue())
    assert seen == ["\r1/3\r\x1b[K", ""]


# ---- convert -------------------------------------------------------------------------------------


def test_there_and_back_again(shell: Shell, tmp_path: Path) -> None:
    for folder in ("xml", "json"):
        (tmp_path / folder).mkdir()
    values = {root: {root: body} for root, body in own_bodies().items() if root != "customContent"}
    values["whole"] = own_message()
    files = [put(tmp_path / f"{name}.json", value) for name, value in values.items()]
    assert shell("convert", "--to", "xml", "--out", "xml", *files) == (0, "", "")
    written = [str(path) for path in sorted((tmp_path / "xml").iterdir())]
    assert shell("convert", "--to", "json", "--out", "json", *written) == (0, "", "")
    back = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "json").iterdir()}
    assert back == values


def test_a_body_without_root_comes_back_without_root(shell: Shell, tmp_path: Path) -> None:
    body = own_bodies()["reference"]
    code, xml, _ = shell("convert", "--to", "xml", "--model", "RC-REF", put(tmp_path / "r", body))
    assert code == 0
    code, out, _ = shell("convert", "--to", "json", "--model", "RC-REF", "-", stdin=xml.encode())
    assert (code, json.loads(out)) == (0, body)


def test_what_is_in_the_wanted_format_keeps_its_bytes(shell: Shell) -> None:
    text = (OWN / "rc-eda.json").read_bytes()
    assert shell("convert", "--to", "json", "-", stdin=text) == (0, text.decode(), "")


def test_what_is_refused_or_not_writable_is_told_and_the_rest_converted(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    refused = put(tmp_path / "refused.json", {"reference": {}})
    unwritable = put(tmp_path / "unwritable.json", {"technicalNoreq": {"optionalStringField": "\u0000"}})
    good = put(tmp_path / "good.json", {"reference": own_bodies()["reference"]})
    code, out, err = shell("convert", "--to", "xml", "--out", "out", refused, unwritable, good)
    assert (code, out) == (1, "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.xml"]
    assert "$.reference" in err and "$.technicalNoreq.optionalStringField" in err


def test_a_result_that_cannot_be_written_is_told(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "good.xml").mkdir()
    good = put(tmp_path / "good.json", {"reference": own_bodies()["reference"]})
    code, _, err = shell("convert", "--to", "xml", "--out", ".", good)
    assert code == 2 and "good.xml" in err


# ---- the published samples -----------------------------------------------------------------------


@needs_samples
def test_every_valid_sample_is_valid(shell: Shell) -> None:
    files = [path for folder in ("valid", "examples") for path in sorted((SAMPLES / folder).rglob("*.*"))]
    rooted = [str(path) for path in files if path.parent.name != "TECHNICAL"]
    bare = [str(path) for path in files if path.parent.name == "TECHNICAL"]
    assert len(rooted) > 100 and len(bare) == 2
    for code, out, _ in (
        shell("validate", "--format", "json", *rooted),
        shell("validate", "--format", "json", "--model", "TECHNICAL", *bare),
    ):
        assert (code, [each["file"] for each in objects(out) if not each["valid"]]) == (0, [])


FAULTS_OF_SAMPLES = {
    "error-in-RC-DE": 1,
    "error-in-envelope-and-RC-DE": 3,
    "error-in-envelope-and-content": 3,
    "multiple-errors-in-RC-DE": 3,
    "multiple-errors-in-envelope": 6,
    "too-many-schemas-and-errors-in-content": 2,
    "too-many-schemas": 1,
    "unknown-property-at-root": 1,
    "doesnt-pass-regex-validation": 4,
    "expected-object": 2,
    "expected-smaller-array": 1,
    "wrong-type": 6,
}
"""How many things are wrong with each failing sample, by its stem."""


@needs_samples
def test_every_failing_sample_is_refused_with_every_fault(shell: Shell) -> None:
    found = {}
    for folder, model in (("EDXL-DE", ()), ("TECHNICAL_NOREQ", ("--model", "TECHNICAL_NOREQ"))):
        files = [str(path) for path in sorted((SAMPLES / "failing" / folder).glob("*.json"))]
        code, out, _ = shell("validate", "--format", "json", *model, *files)
        assert code == 1
        found.update({Path(each["file"]).stem: len(each["errors"]) for each in objects(out)})
    assert found == FAULTS_OF_SAMPLES
    xml = [str(path) for path in sorted((SAMPLES / "failing").rglob("*.xml"))]
    _, out, _ = shell("validate", "--format", "json", *xml)
    assert [each["valid"] for each in objects(out)] == [False] * len(xml)
