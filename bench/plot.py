"""Latency by percentile as one HTML file: an SVG inside, no script, nothing from a network.

The horizontal axis is HdrHistogram's usual one: each decade is one nine more (90 %, 99 %, 99.9 %), the vertical one is
logarithmic milliseconds.
"""

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

from bench.latency import PERCENTILES, Latency, merged

WIDTH, HEIGHT = 960, 520
LEFT, RIGHT, TOP, BOTTOM = 80, 230, 30, 50
COLOURS: Final = ("#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#17becf", "#7f7f7f")
STEPS_PER_HALVING: Final = 5

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:14px sans-serif;margin:2em}}td,th{{padding:.2em .8em;text-align:right}}
svg text{{font-size:12px}}
pre{{white-space:pre-wrap}}</style></head>
<body><h1>{title}</h1>
{svg}
<table><tr><th>ms</th><th>count</th><th>mean</th>{heads}<th>max</th></tr>{rows}</table>
<pre>{notes}</pre></body></html>
"""


def page(title: str, latencies: Mapping[str, Latency], notes: Iterable[str]) -> str:
    """The page for these latencies by name. Raises ValueError when there is none."""
    if not latencies:
        raise ValueError("there is no latency to draw")
    return _PAGE.format(
        title=escape(title),
        svg=_svg({name: curve(latency) for name, latency in latencies.items()}),
        heads="".join(f"<th>p{at:g}</th>" for at in PERCENTILES),
        rows="".join(_row(name, latency) for name, latency in latencies.items()),
        notes=escape("\n".join(notes)),
    )


def _row(name: str, latency: Latency) -> str:
    cells = (latency.mean_ms, *latency.percentiles_ms.values(), latency.highest_ms)
    figures = "".join(f"<td>{value:.2f}</td>" for value in cells)
    return f"<tr><th>{escape(name)}</th><td>{latency.count}</td>{figures}</tr>"


def curve(latency: Latency) -> list[tuple[float, float]]:
    """(nines, milliseconds) from the median's side to the last percentile that the count can show; 1.0 is 90 %."""
    histogram = merged([latency])
    points = []
    iterator = histogram.get_percentile_iterator(STEPS_PER_HALVING)
    for item in iterator:
        level = item.percentile_level_iterated_to / 100
        nines = math.log10(latency.count) if level >= 1 else min(-math.log10(1 - level), math.log10(latency.count))
        points.append((nines, max(item.value_iterated_to / 1000, 0.001)))
    return points


def _svg(curves: Mapping[str, list[tuple[float, float]]]) -> str:
    nines = max(1, math.ceil(max(x for points in curves.values() for x, _ in points)))
    values = [y for points in curves.values() for _, y in points]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def x_at(x: float) -> float:
        return LEFT + x / nines * (WIDTH - LEFT - RIGHT)

    def y_at(y: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(y) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg width="{WIDTH}" height="{HEIGHT}" role="img">']
    for nine in range(nines + 1):
        label = "0 %" if nine == 0 else f"{100 - 100 / 10**nine:.{max(0, nine - 2)}f} %"
        parts.append(_line(x_at(nine), TOP, x_at(nine), HEIGHT - BOTTOM))
        parts.append(f'<text x="{x_at(nine):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{label}</text>')
    for power in range(low, high + 1):
        y = y_at(10.0**power)
        parts.append(_line(LEFT, y, WIDTH - RIGHT, y))
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} ms</text>')
    for index, (name, points) in enumerate(curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>')
        y = TOP + 18 * (index + 1)
        parts.append(f'<text x="{WIDTH - RIGHT + 15}" y="{y}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"])


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'
