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
    "array": "une liste", "object": "un objet", "JSON without byte-order mark": "JSON sans marque d'ordre (BOM)",
}  # fmt: skip
_KINDS_EN: Final = {
    "null": "null", "boolean": "a boolean", "string": "a text", "number": "a number", "integer": "a whole number",
    "array": "a list", "object": "an object",
}  # fmt: skip


def _fr(kind: str) -> str:
    return _KINDS_FR.get(kind, kind)


def _en(kind: str) -> str:
    return _KINDS_EN.get(kind, kind)


def _listed(expected: str, max_length: int = MAX_EXPECTED_LENGTH) -> str:
    """A list of names or codes, cut at a comma when it is long."""
    if len(expected) <= max_length:
        return expected
    return expected[:max_length].rpartition(", ")[0] + ", …"


def _use_cases(fault: Fault, none: str, several: str) -> str:
    allowed = _listed(fault.expected, 4 * MAX_EXPECTED_LENGTH)
    return f"{none if fault.found == 'none' else several} {allowed}"


_FRENCH: Final[dict[str, Callable[[Fault], str]]] = {
    "json": lambda f: f"le corps n'est pas un JSON lisible (attendu : {_fr(f.expected)})",
    "utf8": lambda f: "le corps n'est pas en UTF-8",
    "type": lambda f: f"attendu : {_fr(f.expected)}, trouvé : {_fr(f.found)}",
    "required": lambda f: f"champ obligatoire absent (attendu : {_fr(f.expected)})",
    "unknown": lambda f: f"champ inconnu (champs permis : {_listed(f.expected) or 'aucun'})",
    "enum": lambda f: f"code hors de sa liste (codes permis : {_listed(f.expected)})",
    "pattern": lambda f: f"texte non conforme au motif {_listed(f.expected)}",
    "format": lambda f: "attendu : date et heure RFC 3339 avec décalage horaire, comme 2024-01-31T12:00:00+01:00",
    "min_items": lambda f: f"trop peu d'éléments (minimum : {f.expected})",
    "max_items": lambda f: f"trop d'éléments (maximum : {f.expected})",
    "use_case": lambda f: _use_cases(
        f, "aucun cas d'usage connu ; un est attendu parmi", "plusieurs cas d'usage ; un seul est attendu parmi"
    ),
    "model": lambda f: f"refusé par le modèle {f.expected}",
    "nomenclature": lambda f: f"code absent de la nomenclature {f.expected}",
    "xml": lambda f: "le corps n'est pas un XML lisible (attendu : XML 1.0)",
    "doctype": lambda f: "DOCTYPE interdit",
    "root": lambda f: f"élément racine inconnu (permis : {_listed(f.expected, 4 * MAX_EXPECTED_LENGTH)})",
    "namespace": lambda f: f"espace de noms incorrect (attendu : {f.expected or 'celui du parent'})",
    "order": lambda f: f"élément mal placé : il doit précéder {f.expected}",
    "attribute": lambda f: f"attribut inconnu (attributs permis : {f.expected or 'aucun'})",
    "text": lambda f: "texte entre les éléments",
    "namespace_alias": lambda f: f"ancien espace de noms, lu comme {f.expected}",
    "open": lambda f: "contenu libre que l'XML ne peut pas porter",
    "xml_list": lambda f: "liste que l'XML ne peut pas porter (vide, de listes, ou d'un seul élément libre)",
    "xml_name": lambda f: "nom de champ qui n'est pas un nom XML",
    "values": lambda f: f"trop de valeurs (maximum : {f.expected})",
    "xml_text": lambda f: "texte avec un caractère que l'XML 1.0 ne peut pas porter",
    "more": lambda f: f"autres erreurs non détaillées : {f.expected}",
}
_ENGLISH: Final[dict[str, Callable[[Fault], str]]] = {
    "json": lambda f: f"the body is no readable JSON (expected: {f.expected})",
    "utf8": lambda f: "the body is not UTF-8",
    "type": lambda f: f"expected: {_en(f.expected)}, found: {_en(f.found)}",
    "required": lambda f: f"required field missing (expected: {_en(f.expected)})",
    "unknown": lambda f: f"unknown field (allowed fields: {_listed(f.expected) or 'none'})",
    "enum": lambda f: f"code outside its list (allowed codes: {_listed(f.expected)})",
    "pattern": lambda f: f"text does not match the pattern {_listed(f.expected)}",
    "format": lambda f: "expected: RFC 3339 date and time with its offset, such as 2024-01-31T12:00:00+01:00",
    "min_items": lambda f: f"too few items (minimum: {f.expected})",
    "max_items": lambda f: f"too many items (maximum: {f.expected})",
    "use_case": lambda f: _use_cases(
        f, "no known use case; one is expected among", "several use cases; only one is expected among"
    ),
    "model": lambda f: f"refused by the model {f.expected}",
    "nomenclature": lambda f: f"code outside the nomenclature {f.expected}",
    "xml": lambda f: "the body is no readable XML (expected: XML 1.0)",
    "doctype": lambda f: "DOCTYPE is forbidden",
    "root": lambda f: f"unknown root element (allowed: {_listed(f.expected, 4 * MAX_EXPECTED_LENGTH)})",
    "namespace": lambda f: f"wrong namespace (expected: {f.expected or 'that of the element around it'})",
    "order": lambda f: f"misplaced element: it must come before {f.expected}",
    "attribute": lambda f: f"unknown attribute (allowed attributes: {f.expected or 'none'})",
    "text": lambda f: "text between elements",
    "namespace_alias": lambda f: f"earlier namespace, read as {f.expected}",
    "open": lambda f: "free content that XML cannot carry",
    "xml_list": lambda f: "a list that XML cannot carry (empty, of lists, or of a single free item)",
    "xml_name": lambda f: "a field name that is no XML name",
    "values": lambda f: f"too many values (at most {f.expected})",
    "xml_text": lambda f: "a text with a character that XML 1.0 cannot carry",
    "more": lambda f: f"further faults not listed: {f.expected}",
}
SENTENCES: Final = {"fr": _FRENCH, "en": _ENGLISH}


def sentence(fault: Fault, lang: Lang) -> str:
    """One fault in plain words: where, then what, without a full stop."""
    what = explanation(fault, lang)
    if fault.rule == "more":
        return what
    return f"{fault.path} : {what}" if lang == "fr" else f"{fault.path}: {what}"


def explanation(fault: Fault, lang: Lang) -> str:
    """One fault in plain words without where it is."""
    return SENTENCES[lang][fault.rule](fault)


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
    return f"Autres erreurs non détaillées : {count}." if lang == "fr" else f"Further faults not listed: {count}."
