"""ECMA-262 patterns, read once into a tree: the meaning of `pattern` in JSON Schema, whatever engine runs it later.

`$` is the end of the text only (Python's would take a line feed before it), `\\d` and `\\w` are ASCII, `.` leaves out
the four line terminators. What is not regular (back-references, look-around, `\\b`) is refused: every pattern of a pack
can be matched in time linear in the text. Characters are code points, as under ECMA's `u` flag.
"""

import re
from dataclasses import dataclass
from typing import Final

Ranges = tuple[tuple[int, int], ...]
"""A set of code points: sorted, disjoint, inclusive ranges."""

LAST: Final = 0x10FFFF
MAX_REPEAT: Final = 1000


class PatternError(ValueError):
    """A pattern outside the regular part of ECMA-262; the text says where."""


@dataclass(frozen=True)
class Chars:
    """One character of a set."""

    ranges: Ranges


@dataclass(frozen=True)
class Seq:
    """One after the other."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Alt:
    """One of them."""

    options: tuple["Node", ...]


@dataclass(frozen=True)
class Repeat:
    """`low` to `high` times (None: without end)."""

    part: "Node"
    low: int
    high: int | None


@dataclass(frozen=True)
class Start:
    """`^`: the beginning of the text."""


@dataclass(frozen=True)
class End:
    """`$`: the end of the text."""


Node = Chars | Seq | Alt | Repeat | Start | End


def union(*sets: Ranges) -> Ranges:
    """All code points of the sets."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(r for ranges in sets for r in ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(ranges: Ranges) -> Ranges:
    """All other code points."""
    out, at = [], 0
    for low, high in union(ranges):
        if low > at:
            out.append((at, low - 1))
        at = high + 1
    return (*out, (at, LAST)) if at <= LAST else tuple(out)


def overlap(left: Ranges, right: Ranges) -> bool:
    """Whether a code point is in both."""
    return any(a <= d and c <= b for a, b in left for c, d in right)


def _points(text: str) -> Ranges:
    return union(tuple((ord(c), ord(c)) for c in text))


_DIGITS: Final[Ranges] = ((0x30, 0x39),)
_WORD: Final = union(_DIGITS, ((0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)))
_SPACE: Final = union(_points("\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"), ((0x2000, 0x200A),))
_DOT: Final = complement(_points("\n\r\u2028\u2029"))
_CLASS_ESCAPES: Final = {
    "d": _DIGITS, "D": complement(_DIGITS), "w": _WORD, "W": complement(_WORD), "s": _SPACE, "S": complement(_SPACE),
}  # fmt: skip
_CONTROL_ESCAPES: Final = {"t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}
_SYNTAX: Final = frozenset("^$\\.*+?()[]{}|/-")
_BRACES: Final = re.compile(r"\{([0-9]{1,4})(?:(,)([0-9]{1,4})?)?\}")


def parse(pattern: str) -> Node:
    """The tree of a pattern; PatternError when it is malformed or not regular."""
    reader = _Reader(pattern)
    node = reader.alternatives()
    if reader.at < len(pattern):
        raise reader.error("an unmatched )")
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def error(self, what: str) -> PatternError:
        return PatternError(f"pattern not understood at character {self.at + 1}: {what}")

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        char = self.peek()
        if not char:
            raise self.error("it ends too early")
        self.at += 1
        return char

    def alternatives(self) -> Node:
        options = [self.sequence()]
        while self.peek() == "|":
            self.take()
            options.append(self.sequence())
        return options[0] if len(options) == 1 else Alt(tuple(options))

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.quantified(self.atom()))
        return parts[0] if len(parts) == 1 else Seq(tuple(parts))

    def atom(self) -> Node:
        char = self.take()
        match char:
            case "^":
                return Start()
            case "$":
                return End()
            case ".":
                return Chars(_DOT)
            case "(":
                return self.group()
            case "[":
                return Chars(self.char_class())
            case "\\":
                return Chars(self.escape())
        if char in "*+?{}]":
            self.at -= 1
            raise self.error("a special character without its meaning")
        return Chars(_points(char))

    def group(self) -> Node:
        if self.peek() == "?":
            if self.text[self.at : self.at + 2] != "?:":
                raise self.error("look-around and named groups are not regular")
            self.at += 2
        node = self.alternatives()
        if self.take() != ")":
            raise self.error("a group without end")
        return node

    def quantified(self, part: Node) -> Node:
        bounds = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(self.peek())
        if bounds is not None:
            self.at += 1
        elif self.peek() == "{":
            bounds = self.braces()
        if bounds is None:
            return part
        if isinstance(part, (Start, End)):
            raise self.error("an anchor cannot repeat")
        if self.peek() == "?":  # lazy: another path, the same language
            self.at += 1
        if self.peek() and self.peek() in "*+?{":
            raise self.error("a repeat of a repeat")
        return Repeat(part, *bounds)

    def braces(self) -> tuple[int, int | None]:
        found = _BRACES.match(self.text, self.at)
        if found is None:
            raise self.error("a brace that is no repeat")
        low = int(found[1])
        high = low if found[2] is None else (None if found[3] is None else int(found[3]))
        if low > MAX_REPEAT or (high is not None and (high < low or high > MAX_REPEAT)):
            raise self.error("repeat bounds")
        self.at = found.end()
        return low, high

    def escape(self, in_class: bool = False) -> Ranges:
        char = self.take()
        if char in _CLASS_ESCAPES:
            return _CLASS_ESCAPES[char]
        if char in _CONTROL_ESCAPES:
            return _points(_CONTROL_ESCAPES[char])
        if char in _SYNTAX:
            return _points(char)
        if char == "b" and in_class:
            return _points("\b")
        width = {"x": 2, "u": 4}.get(char)
        digits = self.text[self.at : self.at + (width or 0)]
        if width is None or re.fullmatch(r"[0-9A-Fa-f]+", digits) is None or len(digits) != width:
            raise self.error("this escape is not supported")
        self.at += width
        return _points(chr(int(digits, 16)))

    def char_class(self) -> Ranges:
        negated = self.peek() == "^"
        if negated:
            self.take()
        found: list[Ranges] = []
        while self.peek() != "]":
            low = self.class_atom()
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.take()
                found.append(self.class_range(low, self.class_atom()))
            else:
                found.append(low)
        self.take()
        return complement(union(*found)) if negated else union(*found)

    def class_atom(self) -> Ranges:
        char = self.take()
        return self.escape(in_class=True) if char == "\\" else _points(char)

    def class_range(self, low: Ranges, high: Ranges) -> Ranges:
        first, last = low[0][0], high[0][0]
        if len(low) != 1 or len(high) != 1 or low[0][1] != first or high[0][1] != last or last < first:
            raise self.error("a range of characters")
        return ((first, last),)
