"""`hubex validate`: what is wrong with files, by a model pack, without a broker."""

from typing import Annotated, Final, Literal

import orjson
import typer

from router.cli.files import ConfigFile, Files, ModelName, PackName, chosen, contents, printed, put
from validators.documents import Document, judge
from validators.faults import Fault
from validators.sentences import Lang, explanation, sentence

Language = Annotated[Lang, typer.Option("--lang", help="Of the sentences.")]
Output = Annotated[Literal["text", "json"], typer.Option("--format", help="json: one object a file, a line each.")]

_WORDS: Final = {
    "fr": {"valid": "valide", "refused": "refusé", "unread": "illisible", "warning": "avertissement : "},
    "en": {"valid": "valid", "refused": "refused", "unread": "unreadable", "warning": "warning: "},
}


def register(app: typer.Typer) -> None:
    """Adds the command `validate` to `app`."""
    app.command()(validate)


def validate(
    files: Files,
    pack: PackName = "v3",
    lang: Language = "fr",
    output: Output = "text",
    model: ModelName = None,
    config: ConfigFile = None,
) -> None:
    """Check whole messages, or bodies of use cases alone ({"createCase": …}, or a bare XML root).

    Every fault is named, and codes outside their nomenclature, which refuse nothing, as warnings. Exit code 0: all are
    valid; 1: one is not; 2: misuse, or a file that cannot be read (the others are judged all the same).
    """
    judging, rootless = chosen(pack, config, model)
    code = 0
    for file, body in contents(files):
        document = None if body is None else judge(judging, body, rootless)
        valid = document is not None and not document.faults
        code = max(code, 2 if document is None else 0 if valid else 1)
        put(_json(file, document, lang) if output == "json" else _text(file, document, lang))
    raise typer.Exit(code)


def _json(file: str, document: Document | None, lang: Lang) -> bytes:
    shown = {
        "file": printed(file),
        "valid": document is not None and not document.faults,
        "model": ", ".join(document.models) if document is not None and document.models else None,
        "errors": [_fault(fault, lang) for fault in document.faults] if document is not None else [_unread(lang)],
        "warnings": [_fault(fault, lang) for fault in document.warnings] if document is not None else [],
    }
    return orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE)


def _fault(fault: Fault, lang: Lang) -> dict[str, str]:
    return {"path": fault.path, "rule": fault.rule, "message": explanation(fault, lang)}


def _unread(lang: Lang) -> dict[str, str]:
    return {"path": "$", "rule": "file", "message": _WORDS[lang]["unread"]}


def _text(file: str, document: Document | None, lang: Lang) -> bytes:
    words = _WORDS[lang]
    if document is None:
        verdict, lines = words["unread"], []
    else:
        verdict = ", ".join((words["refused" if document.faults else "valid"], *document.models))
        warnings = [words["warning"] + sentence(warning, lang) for warning in document.warnings]
        lines = [*(sentence(fault, lang) for fault in document.faults), *warnings]
    colon = " : " if lang == "fr" else ": "
    return ("\n    ".join([f"{printed(file)}{colon}{verdict}", *lines]) + "\n").encode()
