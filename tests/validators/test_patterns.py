"""ECMA-262 patterns in the three paths: the reading (`ecma`), the slow search (`linear`), the accepting text."""

import json
import re
import time
from random import Random

import pytest

from tests.validators.generate import text_of
from tests.validators.reference import ecma_search
from tests.validators.support import PACK_FOLDER
from validators.accepting import accepting_pattern
from validators.ecma import PatternError, complement, overlap, parse, union
from validators.linear import LinearPattern

PACK_PATTERNS = sorted(
    {
        json.loads(text)
        for path in PACK_FOLDER.glob("*.json")
        for text in re.findall(r'"pattern": (".*")', path.read_text())
    }
)
OTHER_PATTERNS = [  # another release's, and what the language holds besides
    r"fr(\.[a-zA-Z0-9_-]+){3,4}",
    r"([a-zA-Z0-9_-]+\.){3,4}request(\.[a-zA-Z0-9_-]+){1,2}",
    r"\d{4}-\d{2}-\d{2}",
    r"^(a|ab)(c|bcd)?$",
    r"^(?:a|b)*?c{2,}$",
    r"^a$|^b+$",
    r"a|^b|c$",
    r"^(a*)*$",
    r"^(a+)+b?$",
    r"^(a|a)*$",
    r"^(a?){3}$",
    r"",
    r"^$",
    r"x*",
]
# (pattern, text, whether ECMA-262 finds it): checked with a JavaScript engine.
ECMA_TABLE = [
    (r"^[A-Z]+$", "AB\n", False),
    (r"^[A-Z]+$", "AB", True),
    (r"^\d{2}$", "٢٢", False),
    (r"^\w$", "é", False),
    (r"^\W$", "é", True),
    (r"^\s$", "\ufeff", True),
    (r"^\s$", "\u0085", False),
    (r"^\s$", "\u001c", False),
    (r"^\S$", "\u001c", True),
    (r"^.$", "\u2028", False),
    (r"^.$", "\u0085", True),
    (r"^.$", "\r", False),
    (r"^[^a]$", "\n", True),
    (r"^[\d\-x]$", "-", True),
    (r"^[a-]$", "-", True),
    (r"^[\b]$", "\b", True),
    (r"^\x41\u00e9\t\/$", "Aé\t/", True),
    (r"b", "abc", True),
    (r"^b", "abc", False),
    (r"b$", "ab", True),
    (r"b$", "ab\n", False),
    (r"^[^]$", "x", True),
    (r"[]", "x", False),
    (r"^a{2,3}?$", "aaa", True),
    (r"^.$", "🚒", True),
]
HOSTILE = [
    "a" * 10_000,
    "a" * 9_999 + "!",
    "a." * 5_000,
    "a." * 4_999 + "!!",
    "." * 10_000,
    "-" * 10_000,
    "0" * 10_000,
    "0" * 9_999 + "x",
    "a@" * 5_000,
    "a@" + "b." * 4_998 + "!",
    "resource." * 1_111,
    "a.b.c.resource." + "x" * 9_980 + "!",
    "+" + "0" * 9_999,
    "é" * 10_000,
    "fr" + ".a" * 5_000,
    "aaaa" + "\n" * 9_996,
    "".join(map(chr, range(0x4E00, 0x4E00 + 10_000))),
]


@pytest.mark.parametrize(("pattern", "text", "found"), ECMA_TABLE)
def test_ecma_semantics(pattern: str, text: str, found: bool) -> None:
    assert LinearPattern(pattern).search(text) is found
    accepting = accepting_pattern(pattern)
    assert found or accepting is None or re.search(accepting, text) is None


@pytest.mark.parametrize("pattern", PACK_PATTERNS + OTHER_PATTERNS)
def test_linear_agrees_with_a_plain_reading_and_the_accepting_text_is_sound(pattern: str) -> None:
    rnd = Random(3)
    linear, text_of_accepting = LinearPattern(pattern), accepting_pattern(pattern)
    accepting = re.compile(text_of_accepting) if text_of_accepting is not None else None
    tree = parse(pattern)
    hits = 0
    for _ in range(2_000):
        text = "".join(rnd.choice("aabcZ09.-_+@:TfrPR\né") for _ in range(rnd.randrange(12)))
        if rnd.random() < 0.5:
            text = text_of(tree, rnd)
            if text and rnd.random() < 0.5:
                cut = rnd.randrange(len(text))
                text = text[:cut] + rnd.choice(["", "x", ".", "0", "\n"]) + text[cut + 1 :]
        expected = ecma_search(pattern, text)
        assert linear.search(text) is expected, text
        if accepting is None or accepting.search(text):
            hits += 1
            assert expected or accepting is None, text
    assert hits > 20


def test_the_accepting_text_of_the_models_is_exact() -> None:
    rnd = Random(5)
    for pattern in PACK_PATTERNS:
        text_of_accepting, tree = accepting_pattern(pattern), parse(pattern)
        if "@" in pattern:
            assert text_of_accepting is None  # the mail address of the technical model is left to the slow path
            continue
        assert text_of_accepting is not None
        accepting = re.compile(text_of_accepting)
        for _ in range(300):
            text = text_of(tree, rnd)
            assert accepting.search(text), (pattern, text)
    shortest = accepting_pattern(r"^([a-zA-Z0-9_-]+\.?){4,10}$")
    assert shortest is not None and re.search(shortest, "abcd")


@pytest.mark.parametrize("pattern", PACK_PATTERNS + OTHER_PATTERNS)
def test_hostile_texts_cost_little(pattern: str) -> None:
    accepting = accepting_pattern(pattern)
    plain = [] if accepting is None else [re.compile(accepting).search]
    for search in (LinearPattern(pattern).search, *plain):
        for text in HOSTILE:
            best = min(_seconds(search, text) for _ in range(5))
            assert best < 0.010, (text[:20], best)


def _seconds(search: object, text: str) -> float:
    begun = time.process_time()
    search(text)  # type: ignore[operator]
    return time.process_time() - begun


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "a)",
        "[a",
        "a{2",
        "a{3,2}",
        "*",
        "a**",
        "^*",
        r"(?=a)",
        r"(?<n>a)",
        r"\1",
        r"\b",
        r"\p{L}",
        r"\u12",
        "a{9999}",
        "[b-a]",
        r"[\d-x]",
        "]",
        "\\",
        "(a{1000}){1000}",
    ],
)
def test_what_is_malformed_or_not_regular_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        LinearPattern(pattern)


def test_sets_of_characters() -> None:
    assert union(((5, 9),), ((1, 4), (8, 12))) == ((1, 12),)
    assert complement(((0, 4), (10, 0x10FFFF))) == ((5, 9),)
    assert complement(complement(((3, 3), (7, 9)))) == ((3, 3), (7, 9))
    assert overlap(((1, 3),), ((3, 5),)) and not overlap(((1, 2),), ((3, 5),))


def test_the_automaton_forgets_rather_than_grows() -> None:
    pattern = LinearPattern("(a|b)*a(a|b){12}c")  # thousands of states when made deterministic
    rnd = Random(1)
    text = "".join(rnd.choice("ab") for _ in range(20_000))
    assert not pattern.search(text)
    assert pattern.search(text + "a" + "b" * 12 + "c")
    assert len(pattern._states) <= 2_000
