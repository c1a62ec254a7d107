import pytest
from hypothesis import given
from hypothesis import strategies as st

from validators.faults import MAX_COUNTED, MAX_FAULTS, EnoughFaults, Findings, field_path, kind_of


def test_paths() -> None:
    assert field_path("$", "caseId") == "$.caseId"
    assert field_path("$.a[0]", "a-b_1") == "$.a[0].a-b_1"
    assert field_path("$", "a b") == '$["a b"]'
    assert field_path("$", 'a"]') == '$["a\\"]"]'
    assert field_path("$", "") == '$[""]'
    assert field_path("$", "é\n") == '$["\\u00e9\\n"]'


@given(st.text())
def test_any_name_gives_a_short_plain_path(name: str) -> None:
    for long in (name, name * 100):
        path = field_path("$", long)
        assert path.isascii() and path.isprintable() and len(path) <= 80


def test_kinds() -> None:
    kinds = [kind_of(value) for value in (None, True, "", 1, 1.5, [], {})]
    assert kinds == ["null", "boolean", "string", "number", "number", "array", "object"]


def test_findings_are_bounded() -> None:
    findings = Findings()
    assert findings.faults() == ()
    for i in range(MAX_FAULTS + 7):
        assert findings.full() is (i >= MAX_FAULTS)
        findings.add("$", "type", "string", "null")
    assert len(findings.faults()) == MAX_FAULTS + 1
    assert findings.faults()[-1].expected == "7"
    with pytest.raises(EnoughFaults):
        for _ in range(MAX_COUNTED):
            findings.add("$", "type", "string", "null")
    assert findings.faults()[-1].expected == str(MAX_COUNTED - MAX_FAULTS)
