"""The page with the latencies: all of them, no script, no network."""

import re
from xml.etree import ElementTree

import pytest

from bench.latency import Latency, measure
from bench.plot import curve, page
from tests.bench.test_latency import FORMATS, MS, Kind, record


def latency(count: int) -> Latency:
    sent = [record(Kind.PUBLISHED, number, 0) for number in range(count)]
    read = [record(Kind.RECEIVED, number, 1 + number / 10) for number in range(count)]
    return measure(sent, read, FORMATS, 0, MS)["json"]


def test_a_curve_rises_and_ends_with_the_count() -> None:
    points = curve(latency(1000))
    assert points == sorted(points) and points[-1][0] == pytest.approx(3)
    assert points[-1][1] == pytest.approx(100.9, rel=1e-2)
    assert all(y == pytest.approx(1 + 100 * (1 - 10**-x), abs=4) for x, y in points)


def test_the_page_has_every_curve_and_needs_nothing_else() -> None:
    text = page("a <bench>", {"router json": latency(500), "shovel": latency(1)}, ["machine: A & B"])
    svg = ElementTree.fromstring(re.findall(r"<svg.*?</svg>", text, re.DOTALL)[0])
    assert len(svg.findall("polyline")) == 2
    assert "a &lt;bench&gt;" in text and "A &amp; B" in text and "router json" in text
    assert "<script" not in text and "://" not in text and "src=" not in text


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="no latency"):
        page("x", {}, [])
