"""Points, curves and parallel coordinates as inline SVG, in the colours of the page."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from melodygan.page.charts import nice_step
from melodygan.page.markup import safe
from melodygan.tuning.space import Between, Dimension, OneOf

_WIDTH, _HEIGHT = 420, 220  # units of the drawing, as those of page/charts.py
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 12, 36
_INNER, _DEEP = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_FAR = 4.0  # times the distance of the best from the median: what is worse is drawn at the edge
STYLES = {
    "complete": "fill:var(--train);stroke:var(--train)",
    "pruned": "fill:var(--raw);stroke:var(--raw)",
    "failed": "fill:none;stroke:var(--mark);stroke-width:1.5",
    "best": "fill:var(--mark);stroke:var(--mark)",
    "baseline": "fill:var(--validation);stroke:var(--validation)",
}


def text(value: Any) -> str:
    """A value of a parameter or a score in a few letters."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Axis:
    """low, high: ends. log: logarithmic. names: instead of numbers, at 0, 1, 2, ..."""

    caption: str
    low: float
    high: float
    log: bool = False
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, caption: str, values: Iterable[float], worst_high: bool | None = None) -> "Axis":
        """Around some values; worst_high: which end may leave out what is far from the others."""
        ordered = sorted(values)
        if not ordered:
            return cls(caption, 0.0, 1.0)
        low, high, middle = ordered[0], ordered[-1], ordered[len(ordered) // 2]
        if worst_high is True:
            high = min(high, middle + _FAR * (middle - low)) if middle > low else high
        if worst_high is False:
            low = max(low, middle - _FAR * (high - middle)) if middle < high else low
        room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        return cls(caption, low - room, high + room)

    @classmethod
    def along(cls, caption: str, dimension: Dimension, values: Sequence[Any]) -> "Axis":
        """Along a dimension of a space and the values that lie beyond it."""
        if isinstance(dimension, OneOf):
            known = [*dimension.values, *(v for v in values if v not in dimension.values)]
            names = tuple(text(value) for value in dict.fromkeys(known))
            return cls(caption, -0.5, len(names) - 0.5, names=names)
        assert isinstance(dimension, Between)
        numbers = [dimension.low, dimension.high, *values]
        return cls(caption, float(min(numbers)), float(max(numbers)), dimension.log)

    def place(self, value: Any) -> float:
        """From 0 to 1."""
        if self.names:
            value = self.names.index(text(value))
        if self.log:
            low, high, value = (math.log(each) for each in (self.low, self.high, value))
        else:
            low, high = self.low, self.high
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and captions."""
        if self.names:
            return [(self.place(name), name) for name in self.names]
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            steps = (1, 2, 5) if last - first <= 2 else (1,)
            marks = [f * 10.0**power for power in range(first, last + 1) for f in steps]
            return [
                (self.place(mark), f"{mark:g}")
                for mark in marks
                if self.low * 0.999 <= mark <= self.high * 1.001
            ]
        step = nice_step(self.high - self.low, 5)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(self.place(k * step), f"{k * step:.6g}") for k in range(first, last + 1)]


@dataclass(frozen=True)
class Dots:
    """Points with what shows under a pointer; `kind` is one of STYLES. line: join them."""

    kind: str
    points: Sequence[tuple[Any, Any]]
    captions: Sequence[str] = ()
    line: bool = False


def plot(x: Axis, y: Axis, groups: Sequence[Dots], title: str) -> str:
    """Groups of points between two axes; later ones lie on top."""
    parts = [_axes(x, y)]
    for group in groups:
        style = STYLES[group.kind]
        at = [(_x(x.place(a)), _y(y.place(b))) for a, b in group.points]
        if group.line:
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in at)
            parts.append(f'<polyline points="{path}" style="{style};fill:none;stroke-width:1.4"/>')
        if not group.line or len(at) == 1:
            captions = group.captions or [""] * len(at)
            for (a, b), caption in zip(at, captions, strict=True):
                parts.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" style="{style}">')
                parts.append(f"<title>{safe(caption)}</title></circle>")
    return _svg("".join(parts), title)


def parallel(axes: Sequence[Axis], rows: Sequence[tuple[str, Sequence[Any], str]]) -> str:
    """One line a trial across all axes. rows: kind, a value for each axis, caption."""
    step = _INNER / max(1, len(axes) - 1)
    parts = []
    for index, axis in enumerate(axes):
        x = _LEFT + index * step
        anchor = "end" if index == len(axes) - 1 else "start" if index == 0 else "middle"
        parts.append(f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" ')
        parts.append(f'y2="{_TOP + _DEEP}"/><text x="{x:.1f}" y="{_HEIGHT - 8}" ')
        parts.append(f'text-anchor="{anchor}">{safe(axis.caption)}</text>')
        marks = axis.ticks()
        for place, caption in [marks[0], marks[-1]] if marks else []:
            parts.append(f'<text x="{x + (-4 if anchor == "end" else 4):.1f}" ')
            parts.append(f'y="{_y(place) + 4:.1f}" text-anchor="{_inside(anchor)}">')
            parts.append(f"{safe(caption)}</text>")
    for kind, values, caption in rows:
        places = (axis.place(value) for axis, value in zip(axes, values, strict=True))
        path = " ".join(f"{_LEFT + i * step:.1f},{_y(place):.1f}" for i, place in enumerate(places))
        width = 2.4 if kind in ("best", "baseline") else 1
        parts.append(f'<polyline points="{path}" style="{STYLES[kind]};fill:none;')
        parts.append(f'stroke-width:{width}"><title>{safe(caption)}</title></polyline>')
    return _svg("".join(parts), "parallel coordinates")


def bars(shares: Mapping[str, float]) -> str:
    """Parts of 1 by name, from above."""
    high = 30
    parts = []
    for index, (name, share) in enumerate(shares.items()):
        y = index * high
        width = max(_INNER * share, 1.0)
        parts.append(f'<text x="0" y="{y + 10}">{safe(name)}</text>')
        parts.append(f'<rect class="bar" x="0" y="{y + 14}" width="{width:.1f}" height="10"/>')
        parts.append(f'<text x="{width + 6:.1f}" y="{y + 23}">{share:.0%}</text>')
    return (
        f'<svg viewBox="0 0 {_WIDTH} {high * len(shares)}" role="img" '
        f'aria-label="importances">{"".join(parts)}</svg>'
    )


def figure(svg: str, caption: str = "") -> str:
    """A drawing that stands alone, no wider than its letters are fit to be read."""
    return f'<figure style="max-width:44rem">{caption}{svg}</figure>'


def legend(kinds: Sequence[str]) -> str:
    """What the colours mean."""
    spots = [
        f'<svg style="display:inline-block;width:.8em;height:.8em" viewBox="0 0 10 10" '
        f'aria-hidden="true"><circle cx="5" cy="5" r="4" style="{STYLES[kind]}"/></svg> '
        f"<span>{kind}</span>"
        for kind in kinds
    ]
    return f'<p class="legend">{" &nbsp; ".join(spots)}</p>'


def _inside(anchor: str) -> str:
    return "end" if anchor == "end" else "start"


def _axes(x: Axis, y: Axis) -> str:
    parts = []
    for place, caption in y.ticks():
        at = _y(place)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" ')
        parts.append(f'y2="{at:.1f}"/><text x="{_LEFT - 6}" y="{at + 3.5:.1f}" ')
        parts.append(f'text-anchor="end">{safe(caption)}</text>')
    for place, caption in x.ticks():
        at = _x(place)
        parts.append(f'<line class="tick" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP + _DEEP}" ')
        parts.append(f'y2="{_TOP + _DEEP + 4}"/><text x="{at:.1f}" y="{_TOP + _DEEP + 15}" ')
        parts.append(f'text-anchor="middle">{safe(caption)}</text>')
    below = _HEIGHT - 6
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{below}" text-anchor="end">{safe(x.caption)}')
    parts.append("</text>")
    return "".join(parts)


def _x(place: float) -> float:
    return _LEFT + place * _INNER


def _y(place: float) -> float:
    return _TOP + (1 - place) * _DEEP


def _svg(content: str, title: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{safe(title)}">{content}</svg>'
    )
