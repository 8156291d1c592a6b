"""Charts count every value once; pictures are true; text is safe whatever it says."""

import base64
import html
import io
import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melodygan.audio.mel import LOG_SILENCE, MelConfig
from melodygan.audio.picture import LOUD
from melodygan.page.charts import (
    histogram,
    nice_step,
    round_edges,
    spectrogram,
    stacked_bar,
)
from melodygan.page.markup import duration, number, safe
from melodygan.pipeline.params import load

AUDIO = load(MelConfig, "audio", Path(__file__).resolve().parents[2] / "params.yaml")
FINITE = st.floats(-1e4, 1e4)


@given(st.lists(FINITE, min_size=1), FINITE, st.floats(1e-3, 1e4))
def test_every_value_is_in_one_bar(values: list[float], low: float, span: float) -> None:
    edges = round_edges(low, low + span)
    assert 2 <= len(edges) <= 33 and edges[0] <= low + 1e-6 and edges[-1] >= low + span - 1e-6
    chart = histogram(np.array(values), edges, "s", "title")
    counted = [int(n.replace(",", "")) for n in re.findall(r": ([\d,]+) tracks?<", chart)]
    assert sum(counted) == len(values)


def test_a_bar_says_its_range_and_outliers_go_to_the_ends() -> None:
    chart = histogram(np.array([0.5, 1.5, 1.6, 99.0, -9.0]), np.arange(4.0), "s", "title")
    assert re.findall(r"<title>(.*?)</title>", chart) == [
        "0 to 1 s: 2 tracks",
        "1 to 2 s: 2 tracks",
        "2 to 3 s: 1 track",
    ]


@given(st.floats(1e-6, 1e9), st.integers(1, 50))
def test_steps_are_round_and_fit(span: float, most: int) -> None:
    step = nice_step(span, most)
    assert span / step <= most * 1.0001 < 2.51 * span / step
    assert f"{step:.0e}"[0] in "125"


def test_a_bar_is_as_long_as_its_parts() -> None:
    bar = stacked_bar({"train": 3.0, "test": 1.0}, 8.0)
    assert re.findall(r'x="([\d.]+)" width="([\d.]+)"', bar) == [
        ("0.00", "37.50"),
        ("37.50", "12.50"),
    ]


@pytest.mark.parametrize("frames", [1, 400, 1723])
def test_a_spectrogram_has_time_to_the_right_and_high_bands_on_top(frames: int) -> None:
    mel = np.full((frames, AUDIO.n_mels), LOG_SILENCE, np.float32)
    mel[-max(1, frames // 4) :, -8:] = LOUD
    chart = spectrogram(mel, 30.0, AUDIO, "title")
    encoded = re.findall(r"base64,([^\"]*)", chart)[0]
    pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(encoded)), format="png")
    assert pixels.shape[0] == AUDIO.n_mels and 1 <= pixels.shape[1] <= 400
    bright = pixels[..., :3].sum(axis=2)
    assert bright[0, -1] > 2.5, "loud is almost white, above and on the right"
    assert bright[-1, -1] < 0.5 and (frames == 1 or bright[0, 0] < 0.5)


def test_a_spectrogram_s_axes_are_those_of_the_track() -> None:
    mel = np.zeros((862, AUDIO.n_mels), np.float32)  # 10 s
    chart = spectrogram(mel, 30.0, AUDIO, "title")
    captions = re.findall(r"<text[^>]*>([^<]*)</text>", chart)
    assert captions == [
        "30",
        "32",
        "34",
        "36",
        "38",
        "40",
        "500",
        "1k",
        "2k",
        "5k",
        "10k",
        "Hz",
        "s",
    ]
    heights = [float(y) for y in re.findall(r'x1="34" x2="38" y1="([\d.]+)"', chart)]
    assert heights == sorted(heights, reverse=True)


@given(st.text(st.characters(), max_size=400))
def test_safe_text_is_text(text: str) -> None:
    made = safe(text)
    made.encode("utf-8")
    assert not set("<>\"'") & set(made)
    assert len(html.unescape(made)) == min(len(text), 300)
    if text.isascii() and text.isprintable() and len(text) <= 300:
        assert html.unescape(made) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0 s"),
        (19.26, "19.3 s"),
        (59.97, "1 min"),
        (245.2, "4 min 5 s"),
        (3599.7, "1 h 0 min"),
        (7825, "2 h 10 min"),
    ],
)
def test_durations_read_naturally(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_have_a_minus_sign_and_no_idle_zeros() -> None:
    assert [number(x) for x in (-23.0, 1234.5, -0.001, 0.25, 100.0)] == [
        "\N{MINUS SIGN}23",
        "1,234.5",
        "0",
        "0.25",
        "100",
    ]
