"""The sentences of refusals: French and English, each with its facts, none with anything else."""

import ast
import re
from pathlib import Path

import pytest

from router.core import refusals
from router.core.refusals import _SENTENCES, MAX_ID_CHARACTERS, cause, cut

CORE = Path(refusals.__file__).parent
PLACEHOLDER = re.compile(r"\{(\w*)[^}]*\}")


def placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text))


def uses() -> dict[str, list[set[str]]]:
    """Every `cause(name, …)` in the core, with the facts that it gives."""
    found: dict[str, list[set[str]]] = {}
    for path in CORE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "cause":
                (name,) = node.args
                assert isinstance(name, ast.Constant), f"{path.name}: a sentence must be named where it is used"
                found.setdefault(name.value, []).append({word.arg or "" for word in node.keywords})
    return found


@pytest.mark.parametrize("name", _SENTENCES)
def test_a_sentence_is_there_in_both_languages_with_the_same_facts(name: str) -> None:
    french, english = _SENTENCES[name]
    assert french != english
    assert all(text.strip() == text and len(text) > 20 and text.endswith(".") for text in (french, english))
    assert placeholders(french) == placeholders(english)
    facts = {fact: f"<{fact}>" for fact in placeholders(french)}
    text = cause(name, **facts)
    assert text.count(" / ") == 1
    for half in text.split(" / "):
        assert all(fact in half for fact in facts.values())
        assert "{" not in half and "}" not in half


def test_every_sentence_is_used_and_every_use_gives_all_facts() -> None:
    used = uses()
    assert set(used) == set(_SENTENCES)
    for name, given in used.items():
        for facts in given:
            assert facts == placeholders(_SENTENCES[name][0]), name


def test_a_fact_with_braces_or_a_slash_is_only_a_fact() -> None:
    text = cause("no_inbox", queue="{queue}{0}.in.message")
    assert text.count("{queue}{0}.in.message") == 2


@pytest.mark.parametrize("length", (0, 1, MAX_ID_CHARACTERS - 1, MAX_ID_CHARACTERS, MAX_ID_CHARACTERS + 1, 10_000))
def test_an_id_is_cut_where_it_may_be_logged(length: int) -> None:
    assert cut("é" * length) == "é" * min(length, MAX_ID_CHARACTERS)
