import hashlib
import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import stft

from melodygan.sources.demo import LABELS, DemoTrack, demo_plan, render_track

SECONDS = 8.0
TRACKS = 8  # of each label


def digest(track: DemoTrack) -> str:
    return hashlib.sha256(track.mix.tobytes() + track.vocals.tobytes()).hexdigest()


@pytest.fixture(scope="module")
def tracks() -> dict[str, list[DemoTrack]]:
    return {label: [render_track(label, i, SECONDS) for i in range(TRACKS)] for label in LABELS}


def every(tracks: dict[str, list[DemoTrack]]) -> list[DemoTrack]:
    return [track for label in LABELS for track in tracks[label]]


def loudness(audio: np.ndarray, block: int = 441) -> np.ndarray:
    """RMS per block of 10 ms."""
    whole = audio.shape[0] // block * block
    return np.sqrt(np.mean(audio[:whole].mean(1).reshape(-1, block) ** 2, axis=1))


def test_plan_alternates_labels_and_counts_within_each() -> None:
    assert demo_plan(3) == [
        ("demo-swing-000", "swing", 0),
        ("demo-pop-000", "pop", 0),
        ("demo-swing-001", "swing", 1),
    ]


def test_a_longer_plan_keeps_the_tracks_of_a_shorter_one() -> None:
    assert demo_plan(25)[:7] == demo_plan(7)
    assert len({name for name, _, _ in demo_plan(300)}) == 300


def test_tracks_are_the_same_bytes_in_a_fresh_process(tracks: dict[str, list[DemoTrack]]) -> None:
    code = (
        "import hashlib; from melodygan.sources.demo import render_track\n"
        f"track = render_track('pop', 3, {SECONDS})\n"
        "print(hashlib.sha256(track.mix.tobytes() + track.vocals.tobytes()).hexdigest())"
    )
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert fresh.stdout.strip() == digest(tracks["pop"][3])


def test_a_track_does_not_depend_on_what_was_rendered_before(
    tracks: dict[str, list[DemoTrack]],
) -> None:
    assert digest(render_track("swing", 1, SECONDS)) == digest(tracks["swing"][1])


def test_seed_label_and_ordinal_each_change_the_track(tracks: dict[str, list[DemoTrack]]) -> None:
    digests = {digest(track) for track in every(tracks)}
    digests.add(digest(render_track("swing", 0, SECONDS, seed=1)))
    assert len(digests) == 2 * TRACKS + 1


def test_stems_add_up_to_the_mix_exactly_even_in_16_bit(
    tracks: dict[str, list[DemoTrack]],
) -> None:
    for track in every(tracks):
        assert np.array_equal(track.vocals + track.accompaniment, track.mix)
        for audio in (track.mix, track.vocals, track.accompaniment):
            assert np.array_equal(audio * 32768, np.round(audio * 32768))


@pytest.mark.parametrize("seconds", [1.0, 3.21, 12.0])
@pytest.mark.parametrize("label", LABELS)
def test_length_is_exactly_what_was_asked_for(label: str, seconds: float) -> None:
    track = render_track(label, 4, seconds)
    assert track.mix.shape == track.vocals.shape == (round(seconds * 44100), 2)
    assert track.mix.dtype == track.vocals.dtype == np.float32
    assert track.sample_rate == 44100


def test_levels_are_sane(tracks: dict[str, list[DemoTrack]]) -> None:
    for track in every(tracks):
        assert np.isfinite(track.mix).all()
        assert np.abs(track.mix).max() == pytest.approx(0.9, abs=1e-3)
        assert max(np.abs(track.vocals).max(), np.abs(track.accompaniment).max()) < 1
        assert abs(track.mix.mean()) < 5e-3
        assert loudness(track.mix).mean() > 0.04
        ends = np.abs(track.mix[[0, -1]]).max()
        assert ends < 0.02  # no click at either end


def test_the_band_plays_throughout(tracks: dict[str, list[DemoTrack]]) -> None:
    for track in every(tracks):
        quarter_seconds = loudness(track.accompaniment, 11025)[:-4]  # but for the fade
        assert quarter_seconds.min() > 0.05 * quarter_seconds.mean()


def test_the_singer_sings_and_pauses(tracks: dict[str, list[DemoTrack]]) -> None:
    for track in every(tracks):
        level = loudness(track.vocals)
        singing = level > 0.3 * np.sqrt(np.mean(level**2))
        assert 0.25 < singing.mean() < 0.95


def test_voice_and_band_are_about_equally_loud_while_both_sound(
    tracks: dict[str, list[DemoTrack]],
) -> None:
    for track in every(tracks):
        voice, band = loudness(track.vocals), loudness(track.accompaniment)
        singing = voice > 0.3 * np.sqrt(np.mean(voice**2))
        ratio = 10 * np.log10(np.mean(voice[singing] ** 2) / np.mean(band[singing] ** 2))
        assert -4 < ratio < 5


def test_tempo_key_title_and_singer_vary() -> None:
    from melodygan.sources.demo.band import STYLES
    from melodygan.sources.demo.voice import audition

    for compose in STYLES.values():
        songs = [compose(np.random.default_rng(i), 20.0, 60) for i in range(12)]
        tempi = [song.grid.tempo for song in songs]
        assert max(tempi) - min(tempi) > 15
        assert len({song.chords[-1].root for song in songs}) >= 5
        assert len({song.title for song in songs}) >= 9
        assert len({tuple(note.pitch for note in song.melody) for song in songs}) == 12
    assert len({audition(np.random.default_rng(i)).kind for i in range(20)}) == 4


def test_songs_end_on_their_tonic() -> None:
    from melodygan.sources.demo.band import STYLES

    for compose in STYLES.values():
        song = compose(np.random.default_rng(0), 20.0, 60)
        assert song.melody[-1].start == song.chords[-1].start == song.end
        assert song.melody[-1].pitch % 12 == song.chords[-1].root


def timbre(track: DemoTrack) -> np.ndarray:
    """Mean and spread over time of the band's log spectrum in 24 bands."""
    spectrum = np.abs(stft(track.accompaniment.mean(1), 44100, nperseg=2048)[2])
    edges = np.unique(np.geomspace(1, 1024, 25).astype(int))
    bands = np.log(np.add.reduceat(spectrum, edges[:-1]) + 1e-5)
    bands -= bands.mean()
    return np.concatenate([bands.mean(1), bands.std(1)])


def test_labels_of_unheard_tracks_can_be_told_by_their_sound(
    tracks: dict[str, list[DemoTrack]],
) -> None:
    half = TRACKS // 2
    features = {label: np.array([timbre(track) for track in tracks[label]]) for label in LABELS}
    scale = np.concatenate([features[label][:half] for label in LABELS]).std(0)
    centroids = {label: features[label][:half].mean(0) for label in LABELS}
    right = [
        min(LABELS, key=lambda other: np.linalg.norm((heard - centroids[other]) / scale)) == label
        for label in LABELS
        for heard in features[label][half:]
    ]
    assert np.mean(right) >= 0.85


@pytest.mark.parametrize(("label", "seconds"), [("polka", 5.0), ("pop", 0.5)])
def test_what_cannot_be_played_is_refused(label: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=r"polka|at least 1 s"):
        render_track(label, 0, seconds)
