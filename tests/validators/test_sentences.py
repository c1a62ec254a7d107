import pytest

from tests.validators.support import dumped, envelope_of, own_message, pack
from validators import Fault, error_cause, sentence
from validators.faults import RULES
from validators.sentences import SENTENCES, Lang


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_every_rule_has_its_sentence(lang: Lang) -> None:
    assert set(SENTENCES[lang]) == set(RULES)
    for rule in RULES:
        text = sentence(Fault("$.a", rule, "3", "string"), lang)
        assert text and "\n" not in text
        assert text.startswith("$.a") or rule == "more"


def test_sentences() -> None:
    fault = Fault("$.a", "type", "integer", "string")
    assert sentence(fault, "fr") == "$.a : attendu : un nombre entier, trouvé : un texte"
    assert sentence(fault, "en") == "$.a: expected: a whole number, found: a text"
    fault = Fault("$.a", "required", "array", "missing")
    assert sentence(fault, "fr") == "$.a : champ obligatoire absent (attendu : une liste)"
    fault = Fault("$.a", "unknown", ", ".join(f"field{i}" for i in range(100)), "string")
    assert sentence(fault, "en").endswith("field17, …)")


def test_a_byte_order_mark_is_told_in_both_languages() -> None:
    (fault,) = pack().check_message(b"\xef\xbb\xbf{}")
    assert "sans marque d'ordre" in sentence(fault, "fr") and "without" not in sentence(fault, "fr")
    assert "without byte-order mark" in sentence(fault, "en")


def test_use_case_sentences_tell_none_from_several() -> None:
    none = pack().check_message(dumped(envelope_of({})))
    several = pack().check_message(dumped(envelope_of({"technicalNoreq": {}, "customContent": {}})))
    assert "no known use case" in sentence(none[0], "en") and "createCase" in sentence(none[0], "en")
    assert "plusieurs cas d'usage" in sentence(several[0], "fr")


def test_error_cause_is_capped_and_counts_what_it_left_out() -> None:
    faults = [Fault(f"$.field{i}", "required", "string", "missing") for i in range(50)]
    assert error_cause(faults[:2], "en") == (
        "$.field0: required field missing (expected: a text). $.field1: required field missing (expected: a text)."
    )
    few = error_cause(faults, "fr", limit=3)
    assert few.count("champ obligatoire") == 3 and few.endswith("Autres erreurs non détaillées : 47.")
    for max_chars in (40, 100, 500, 1_000):
        text = error_cause([*faults, Fault("$", "more", "1000", "")], "en", 50, max_chars)
        assert len(text) <= max_chars
        shown = text.count("required")
        assert text.endswith(f"Further faults not listed: {1050 - shown}.")
    assert error_cause([], "fr") == ""


def test_every_missing_field_is_named() -> None:
    whole = own_message()
    for name in ("senderID", "descriptor", "distributionKind"):
        del whole[name]
    text = error_cause(pack().check_message(dumped(whole)), "fr")
    assert all(
        f"$.{name} : champ obligatoire absent" in text for name in ("senderID", "descriptor", "distributionKind")
    )
