"""Bars, histograms, scales and spectrograms as inline SVG; the style sheet has their colours."""

import base64
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.mel import LOG_SILENCE, MelConfig, mel_filterbank
from melodygan.audio.picture import LOUD, spectrogram_png
from melodygan.page.markup import count, number, safe

Float = NDArray[np.float32]
Floats = NDArray[np.float64]
_WIDTH, _HEIGHT = 420, 170  # units of the drawing; about pixels on a telephone
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 12, 18, 34
_INNER, _DEEP = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_BARS = 30
_COLUMNS = 400  # pixels of a spectrogram
_HZ = (500, 1000, 2000, 5000, 10000, 20000)


def nice_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that goes at most `most` times into `span`."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(f * power for f in (1, 2, 5, 10, 20) if span / (f * power) <= most * (1 + 1e-9))


def round_edges(low: float, high: float) -> Floats:
    """Edges of at most 31 equal steps at round numbers that reach from `low` to `high`."""
    step = nice_step(high - low, _BARS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return np.arange(first, last + 1, dtype=np.float64) * step


def histogram(
    values: Floats, edges: Floats, unit: str, title: str, marks: Mapping[str, float] | None = None
) -> str:
    """How many `values` lie between each two `edges` (equal steps, ascending).

    What lies beyond is counted in the first or last bar. marks: vertical lines by their captions.
    """
    low, high = float(edges[0]), float(edges[-1])
    counts, _ = np.histogram(np.clip(values, low, high), edges)
    highest = max(int(counts.max()), 1)
    width = _INNER / len(counts)
    parts = [_level_lines(highest)]
    for i, n in enumerate(counts.tolist()):
        if n:
            tall = max(_DEEP * n / highest, 1)
            where = f"{number(edges[i])} to {number(edges[i + 1])} {unit}"
            parts.append(
                f'<rect class="bar" x="{_LEFT + i * width + 0.5:.1f}" '
                f'y="{_TOP + _DEEP - tall:.1f}" width="{max(width - 1, 0.5):.1f}" '
                f'height="{tall:.1f}"><title>{where}: {count(n, "track")}</title></rect>'
            )
    parts.append(_axis_below(low, high))
    for caption, value in (marks or {}).items():
        x = _LEFT + (min(max(value, low), high) - low) / (high - low) * _INNER
        anchor = "end" if x > _WIDTH * 0.7 else "start" if x < _WIDTH * 0.3 else "middle"
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 3}" ')
        parts.append(f'y2="{_TOP + _DEEP}"/><text class="mark" x="{x:.1f}" y="{_TOP - 7}" ')
        parts.append(f'text-anchor="{anchor}">{safe(caption)}</text>')
    return _svg(title, "".join(parts), unit)


def _level_lines(highest: int) -> str:
    """Horizontal lines at round numbers of tracks."""
    step = max(round(nice_step(highest, 4)), 1)
    parts = []
    for level in range(0, highest + 1, step):
        y = _TOP + _DEEP * (1 - level / highest)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" ')
        parts.append(f'y2="{y:.1f}"/><text x="{_LEFT - 6}" y="{y + 3.5:.1f}" ')
        parts.append(f'text-anchor="end">{level:,}</text>')
    return "".join(parts)


def _axis_below(low: float, high: float) -> str:
    """Ticks at round numbers along the lower edge, which reaches from `low` to `high`."""
    every = nice_step(high - low, 7)
    y = _TOP + _DEEP
    parts = []
    for k in range(math.ceil(low / every - 1e-9), math.floor(high / every + 1e-9) + 1):
        x = _LEFT + (k * every - low) / (high - low) * _INNER
        parts.append(f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 4}"/>')
        parts.append(f'<text x="{x:.1f}" y="{y + 15}" text-anchor="middle">{number(k * every)}')
        parts.append("</text>")
    return "".join(parts)


def _svg(title: str, content: str, unit: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{safe(title)}">{content}<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" '
        f'text-anchor="end">{safe(unit)}</text></svg>'
    )


def stacked_bar(parts: Mapping[str, float], whole: float) -> str:
    """One bar of pieces, each of its key's CSS class; `whole` would be the full width."""
    x, pieces = 0.0, []
    for key, value in parts.items():
        width = 100 * value / whole
        pieces.append(f'<rect class="{key}" x="{x:.2f}" width="{width:.2f}" height="10"/>')
        x += width
    return (
        '<svg class="stack" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(pieces)}</svg>"
    )


def spectrogram(mel: Float, start: float, audio: MelConfig, title: str) -> str:
    """A log-mel spectrogram, shape (frames, n_mels), that begins `start` s into its track."""
    parts = [
        f'<image x="{_LEFT}" y="{_TOP}" width="{_INNER}" height="{_DEEP}" '
        f'preserveAspectRatio="none" href="{_data_url(_in_columns(mel))}"/>',
        _axis_below(start, start + len(mel) / audio.frame_rate),
    ]
    for hz, band in _bands(audio).items():
        y = _TOP + _DEEP * (1 - (band + 0.5) / audio.n_mels)
        caption = f"{hz // 1000}k" if hz >= 1000 else str(hz)
        parts.append(f'<line class="tick" x1="{_LEFT - 4}" x2="{_LEFT}" y1="{y:.1f}" ')
        parts.append(f'y2="{y:.1f}"/><text x="{_LEFT - 6}" y="{y + 3.5:.1f}" ')
        parts.append(f'text-anchor="end">{caption}</text>')
    parts.append(f'<text x="{_LEFT - 6}" y="{_HEIGHT - 4}" text-anchor="end">Hz</text>')
    return _svg(title, "".join(parts), "s")


def scale_between(
    value: float,
    worst: tuple[str, float],
    best: tuple[str, float],
    interval: Sequence[float] | None = None,
    others: Mapping[str, float] | None = None,
) -> str:
    """A figure between what it is on the left, by name and value, and what it should be.

    The way between the two takes up most of the width; what lies beyond is drawn at the edge. The
    interval is a bar, `others` are small marks whose names show under a pointer.
    """
    first, last = 6, _WIDTH - 6
    room = (last - first) / 8  # on either side, for what is worse or better still
    span = best[1] - worst[1]

    def place(x: float) -> float:
        share = (x - worst[1]) / span if span else 0.5
        return min(max(first + room + share * (last - first - 2 * room), first), last)

    low, high = (first + room, last - room)
    parts = [
        f'<line class="grid" x1="{first}" x2="{last}" y1="40" y2="40"/>',
        f'<line class="way" x1="{low:.1f}" x2="{high:.1f}" y1="40" y2="40"/>',
    ]
    if interval is not None:
        ends = sorted(place(x) for x in interval)
        parts.append(f'<rect class="interval" x="{ends[0]:.1f}" y="35" rx="5" height="10" ')
        parts.append(f'width="{max(ends[1] - ends[0], 1):.1f}"/>')
    for caption, x in (others or {}).items():
        parts.append(f'<circle class="other" cx="{place(x):.1f}" cy="40" r="3.5">')
        parts.append(f"<title>{safe(caption)}: {number(x, 3)}</title></circle>")
    ends_of = ((worst, low, "worst", "start"), (best, high, "best", "end"))
    for (caption, x), at, css, anchor in ends_of:
        edge = first if anchor == "start" else last
        parts.append(f'<line class="end {css}" x1="{at:.1f}" x2="{at:.1f}" y1="33" y2="47"/>')
        parts.append(f'<text x="{edge:.1f}" y="64" text-anchor="{anchor}">{safe(caption)} ')
        parts.append(f'<tspan class="at">{number(x, 3)}</tspan></text>')
    x = place(value)
    anchor = "end" if x > _WIDTH * 0.85 else "start" if x < _WIDTH * 0.15 else "middle"
    parts.append(f'<path class="value" d="M{x:.1f} 32l6 8l-6 8l-6 -8z"/>')
    parts.append(f'<text class="value" x="{x:.1f}" y="24" text-anchor="{anchor}">')
    parts.append(f"{number(value, 3)}</text>")
    title = f"{number(value, 3)} between {worst[0]} and {best[0]}"
    return (
        f'<svg class="scale" viewBox="0 0 {_WIDTH} 70" role="img" aria-label="{safe(title)}">'
        f"{''.join(parts)}</svg>"
    )


def colour_scale() -> str:
    """The colours of spectrograms from silence to loud, as a picture that the page stretches."""
    scale = np.linspace(LOG_SILENCE, LOUD, 128, dtype=np.float32)[:, None]
    return f'<img class="ramp" alt="" src="{_data_url(scale)}">'


def _bands(audio: MelConfig) -> dict[int, float]:
    """Mel band whose filter is centred on each of some round frequencies (Hz)."""
    filters = mel_filterbank(audio).astype(np.float64)
    used = np.flatnonzero(filters.any(axis=1))  # low bands can be narrower than a bin
    bins = np.linspace(0, audio.sample_rate / 2, audio.n_bins)
    centres = (filters[used] * bins).sum(axis=1) / filters[used].sum(axis=1)
    return {
        hz: float(np.interp(hz, centres, used)) for hz in _HZ if centres[0] <= hz <= centres[-1]
    }


def _in_columns(mel: Float) -> Float:
    """At most 400 means of equally many successive frames: (frames, n_mels) -> (n, n_mels)."""
    starts = np.arange(0, len(mel), -(-len(mel) // _COLUMNS))
    lengths = np.diff(np.append(starts, len(mel)))
    return (np.add.reduceat(mel, starts, axis=0) / lengths[:, None]).astype(np.float32)


def _data_url(mel: Float) -> str:
    return f"data:image/png;base64,{base64.b64encode(spectrogram_png(mel)).decode()}"
