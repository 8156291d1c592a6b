"""The same recording is found in any encoding; other recordings are not, however alike."""

import random
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from melodygan.audio.decode import decode, resample, to_mono
from melodygan.audio.fingerprint import fingerprint
from melodygan.dataset.duplicates import duplicate_groups
from melodygan.sources.demo import LABELS, render_track

RATE = 22050
SECONDS = 8.0
Audio = NDArray[np.float32]
Print = NDArray[np.uint32]


def of(audio: Audio, rate: int = 44100) -> Print:
    """Fingerprint of (samples, channels)."""
    return fingerprint(resample(to_mono(np.ascontiguousarray(audio)), rate, RATE), RATE)


@pytest.fixture(scope="module")
def band() -> list[Audio]:
    """The beginnings of the 24 demo tracks, stereo at 44.1 kHz."""
    tracks = [render_track(label, i, SECONDS) for label in LABELS for i in range(12)]
    return [track.vocals + track.accompaniment for track in tracks]


@pytest.fixture(scope="module")
def band_prints(band: list[Audio]) -> list[Print]:
    return [of(audio) for audio in band]


def encoded(folder: Path, audio: Audio) -> Iterator[Audio]:
    """(samples, channels) after mp3, ogg and aac, at 64 to 130 kbit/s."""
    for name, level in (("high.mp3", 0.4), ("low.mp3", 0.75), ("high.ogg", 0.6), ("low.ogg", 0.95)):
        soundfile.write(folder / name, audio, 44100, compression_level=level)
        yield decode(folder / name)[0]
    for kbits in (64, 128):
        path = folder / f"{kbits}.m4a"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=44100, layout="stereo")
            stream.bit_rate = kbits * 1000
            samples = np.ascontiguousarray(audio.T)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 44100, 0
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                container.mux(packet)
        yield decode(path)[0]


def edited(audio: Audio) -> Iterator[Audio]:
    """What else happens to a recording."""
    rng = np.random.default_rng(0)
    yield audio * np.float32(0.05)
    yield audio[:, :1] + audio[:, 1:]
    yield audio[50_123:]
    yield audio[:-60_000]
    yield np.concatenate([np.zeros((70_007, 2), np.float32), audio])
    yield audio * np.minimum(np.arange(len(audio)) / 88_200, 1).astype(np.float32)[:, None]
    yield audio + rng.normal(0, 0.1 * float(audio.std()), audio.shape).astype(np.float32)
    yield audio + np.diff(audio, axis=0, append=audio[-1:])  # a treble boost


def test_every_form_of_a_recording_is_found_among_all_demo_tracks(
    tmp_path: Path, band: list[Audio], band_prints: list[Print]
) -> None:
    prints, expected = list(band_prints), []
    for track in (0, 12):
        forms = [of(audio) for audio in [*encoded(tmp_path, band[track]), *edited(band[track])]]
        forms += [of(resample(band[track], 44100, rate), rate) for rate in (22050, 32000, 48000)]
        expected.append([track, *range(len(prints), len(prints) + len(forms))])
        prints += forms
    assert duplicate_groups(prints) == expected
    for track, *forms in expected:
        for form in forms:  # each by itself too, not only by way of another
            assert duplicate_groups([prints[track], prints[form]]) == [[0, 1]]


def test_the_tracks_of_the_demo_band_are_all_different(band_prints: list[Print]) -> None:
    assert duplicate_groups(band_prints) == []


def test_pieces_that_share_a_loop_are_different(band: list[Audio]) -> None:
    accompaniment = render_track(LABELS[0], 0, SECONDS).accompaniment
    loop = np.tile(accompaniment[:88_200], (8, 1))[: len(band[0])]
    pieces = [of(2 * loop + other) for other in (band[1], band[13])]  # 6 dB louder than usual
    assert duplicate_groups(pieces) == []
    intro = [of(np.concatenate([loop[: 3 * 44100], other])) for other in (band[1], band[13])]
    assert duplicate_groups(intro) == []


def test_silence_tones_and_short_sounds_are_nobodys_duplicates() -> None:
    time = np.arange(10 * RATE, dtype=np.float32) / RATE
    dull = [np.zeros_like(time), *(np.sin(2 * np.pi * hz * time) for hz in (440, 440, 450))]
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)
    prints = [fingerprint(audio, RATE) for audio in [*dull, noise, noise, noise[:99]]]
    assert duplicate_groups(prints) == []
    assert duplicate_groups([]) == []
    assert duplicate_groups(prints[-1:] * 3) == []


def random_print(rng: np.random.Generator, frames: int = 400) -> Print:
    return rng.integers(1, 1 << 32, frames, dtype=np.uint32)


def worn(rng: np.random.Generator, bits: Print, errors: float = 0.1) -> Print:
    """The same with some bits flipped."""
    flips = np.packbits(rng.random((len(bits), 32)) < errors, axis=1)
    return bits ^ flips.view(np.uint32)[:, 0]


def test_half_of_the_shorter_track_must_overlap() -> None:
    rng = np.random.default_rng(0)
    long, other = random_print(rng, 8000), random_print(rng, 8000)
    for start in (0, 3000, 7700):
        excerpt = worn(rng, long[start : start + 300])
        assert duplicate_groups([long, excerpt, other]) == [[0, 1]]
    enough = np.concatenate([long[-220:], other[:180]])
    too_little = np.concatenate([long[-180:], other[:220]])
    assert duplicate_groups([long, enough]) == [[0, 1]]
    assert duplicate_groups([long, too_little]) == []


def test_too_many_wrong_bits_or_wrong_stretches_make_another_recording() -> None:
    rng = np.random.default_rng(0)
    bits = random_print(rng)
    changed = bits.copy()
    changed[150:250] = random_print(rng, 100)
    assert duplicate_groups([bits, worn(rng, bits, 0.15)]) == [[0, 1]]
    assert duplicate_groups([bits, worn(rng, bits, 0.35)]) == []
    assert duplicate_groups([bits, changed]) == []


def test_what_many_tracks_have_in_common_neither_joins_nor_hides() -> None:
    rng = np.random.default_rng(0)
    jingle = random_print(rng, 100)
    tracks = [np.concatenate([jingle, random_print(rng, 300)]) for _ in range(200)]
    tracks.append(worn(rng, tracks[7]))
    assert duplicate_groups(tracks) == [[7, 200]]
    copies = [worn(rng, tracks[0]) for _ in range(60)]
    assert duplicate_groups(copies) == [list(range(60))]


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))
def test_the_order_of_the_tracks_makes_no_difference(shuffle: random.Random, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # a third of the bits gone is on the edge of what is found
    originals = [random_print(rng, int(rng.integers(20, 700))) for _ in range(8)]
    copies = [worn(rng, bits, rng.uniform(0, 0.3))[rng.integers(0, 200) :] for bits in originals]
    tracks = [*originals, *copies, originals[0]]
    order = list(range(len(tracks)))
    shuffle.shuffle(order)
    shuffled = duplicate_groups([tracks[i] for i in order])
    assert sorted(sorted(order[i] for i in group) for group in shuffled) == duplicate_groups(tracks)
