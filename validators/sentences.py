"""Faults as plain sentences, French or English, and the text of an error report's `errorCause`."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

from validators.faults import Fault

Lang = Literal["fr", "en"]

MAX_EXPECTED_LENGTH: Final = 160
DEFAULT_MAX_FAULTS: Final = 20
DEFAULT_MAX_CHARS: Final = 4_000

_KINDS_FR: Final = {
    "null": "null", "boolean": "un booléen", "string": "un texte", "number": "un nombre", "integer": "un nombre entier",
    "array": "une liste", "object": "un objet", "missing": "rien", "none": "aucun", "several": "plusieurs",
}  # fmt: skip
_KINDS_EN: Final = {
    "null": "null", "boolean": "a boolean", "string": "a text", "number": "a number", "integer": "a whole number",
    "array": "a list", "object": "an object", "missing": "nothing", "none": "none", "several": "several",
}  # fmt: skip


def _fr(kind: str) -> str:
    return _KINDS_FR.get(kind, kind)


def _en(kind: str) -> str:
    return _KINDS_EN.get(kind, kind)


def _listed(expected: str) -> str:
    """A list of names or codes, cut at a comma when it is long."""
    if len(expected) <= MAX_EXPECTED_LENGTH:
        return expected
    return expected[:MAX_EXPECTED_LENGTH].rpartition(", ")[0] + ", …"


_FRENCH: Final[dict[str, Callable[[Fault], str]]] = {
    "json": lambda f: f"le corps n'est pas un JSON lisible ({f.expected} attendu)",
    "utf8": lambda f: "le corps n'est pas en UTF-8",
    "type": lambda f: f"{_fr(f.expected)} est attendu, {_fr(f.found)} a été trouvé",
    "required": lambda f: f"champ obligatoire absent ({_fr(f.expected)} est attendu)",
    "unknown": lambda f: f"champ inconnu ; champs permis : {_listed(f.expected) or 'aucun'}",
    "enum": lambda f: f"code hors de sa liste ; codes permis : {_listed(f.expected)}",
    "pattern": lambda f: f"texte non conforme au motif {_listed(f.expected)}",
    "format": lambda f: "date et heure RFC 3339 avec son décalage horaire attendue (2024-01-31T12:00:00+01:00)",
    "min_items": lambda f: f"au moins {f.expected} élément(s) attendu(s)",
    "max_items": lambda f: f"au plus {f.expected} élément(s) permis",
    "use_case": lambda f: (
        f"exactement un cas d'usage attendu, {_fr(f.found)} trouvé(s) ; permis : {_listed(f.expected)}"
    ),
    "model": lambda f: f"refusé par le modèle {f.expected}",
    "more": lambda f: f"{f.expected} autre(s) erreur(s) non détaillée(s)",
}
_ENGLISH: Final[dict[str, Callable[[Fault], str]]] = {
    "json": lambda f: f"the body is no readable JSON ({f.expected} is expected)",
    "utf8": lambda f: "the body is not UTF-8",
    "type": lambda f: f"{_en(f.expected)} is expected, {_en(f.found)} was found",
    "required": lambda f: f"required field missing ({_en(f.expected)} is expected)",
    "unknown": lambda f: f"unknown field; allowed fields: {_listed(f.expected) or 'none'}",
    "enum": lambda f: f"code outside its list; allowed codes: {_listed(f.expected)}",
    "pattern": lambda f: f"text does not match the pattern {_listed(f.expected)}",
    "format": lambda f: "an RFC 3339 date and time with its offset is expected (2024-01-31T12:00:00+01:00)",
    "min_items": lambda f: f"at least {f.expected} item(s) expected",
    "max_items": lambda f: f"at most {f.expected} item(s) allowed",
    "use_case": lambda f: f"exactly one use case is expected, {_en(f.found)} found; allowed: {_listed(f.expected)}",
    "model": lambda f: f"refused by the model {f.expected}",
    "more": lambda f: f"{f.expected} further fault(s) not listed",
}
SENTENCES: Final = {"fr": _FRENCH, "en": _ENGLISH}


def sentence(fault: Fault, lang: Lang) -> str:
    """One fault in plain words: where, then what, without a full stop."""
    what = SENTENCES[lang][fault.rule](fault)
    if fault.rule == "more":
        return what
    return f"{fault.path} : {what}" if lang == "fr" else f"{fault.path}: {what}"


def error_cause(
    faults: Sequence[Fault], lang: Lang = "fr", limit: int = DEFAULT_MAX_FAULTS, max_chars: int = DEFAULT_MAX_CHARS
) -> str:
    """The faults as sentences, at most `limit` of them and `max_chars` characters, then how many were left out."""
    listed = [fault for fault in faults if fault.rule != "more"]
    left_out = sum(int(fault.expected) for fault in faults if fault.rule == "more")
    room = max_chars - len(_and_more(10**9, lang))
    shown: list[str] = []
    for fault in listed[:limit]:
        text = sentence(fault, lang) + "."
        room -= len(text) + 1
        if room < 0:
            break
        shown.append(text)
    left_out += len(listed) - len(shown)
    return " ".join([*shown, _and_more(left_out, lang)] if left_out else shown)


def _and_more(count: int, lang: Lang) -> str:
    return f"Et {count} autre(s) erreur(s)." if lang == "fr" else f"And {count} more fault(s)."
