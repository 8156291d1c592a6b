"""Every model's clips are written once, with an index that tells what each was made from."""

from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import soundfile

from melodygan.generation.clips import Clip, draw_clips, make_clips, write_clips
from melodygan.generation.config import GenerateParams
from melodygan.pipeline.files import read_rows

ALL = ("cyclegan", "latent_gan", "pix2pix", "vocoder", "vqvae")
PARAMS = GenerateParams(samples=5, tracks=1, seconds=3.0)
FRAMES = 375  # of 3 s


@pytest.fixture
def clips(models: Any, features: Any) -> list[Clip]:
    return list(make_clips(models(*ALL), features, PARAMS, 0))


def test_samples_and_one_test_track_of_each_label_in_every_way_there_is(clips: Any) -> None:
    made = [(c.model, c.kind, c.track, c.source, c.label) for c in clips]
    assert made[:5] == [("latent_gan", "sample", None, None, None)] * 5
    for label, target in (("beat", "drone"), ("drone", "beat")):
        for model in ("vocoder", "vqvae"):
            assert (model, "reconstruction", f"{label}-6", label, label) in made
        assert ("cyclegan", "conversion", f"{label}-6", label, target) in made
        assert ("pix2pix", "extraction", f"{label}-6", "mix", "instrumental") in made
    assert len(made) == 5 + 2 * 4
    assert len({clip.place for clip in clips}) == len(clips)


def test_the_vocoder_alone_gets_the_true_mel(clips: Any, features: Any) -> None:
    (track, *_) = features.tracks("test", "beat")
    (alone,) = [c for c in clips if c.model == "vocoder" and c.track == track.track]
    assert np.array_equal(alone.mel, track.mel[:FRAMES])


def test_the_index_tells_of_every_file_and_the_same_models_make_the_same_bytes(
    clips: Any, models: Any, features: Any
) -> None:
    vocoder = models(*ALL).synthesiser()
    for folder in (Path("one"), Path("two")):
        write_clips(folder, clips, vocoder, fake.AUDIO)
    rows = read_rows(Path("one/index.jsonl"))
    assert [row["name"] for row in rows] == sorted(clip.place for clip in clips)
    for row in rows:
        sound, rate = soundfile.read(f"one/{row['name']}.wav")
        assert rate == fake.AUDIO.sample_rate
        assert len(sound) == row["frames"] * fake.AUDIO.hop_length
    files = {path.relative_to("one") for path in Path("one").rglob("*.*")}
    assert files == {Path(f"{row['name']}.wav") for row in rows} | {Path("index.jsonl")}
    for file in files:
        assert (Path("one") / file).read_bytes() == (Path("two") / file).read_bytes()


def test_a_clip_too_loud_for_a_file_is_scaled_and_its_peak_told(models: Any, features: Any) -> None:
    mel = np.array(features.tracks("test", "beat")[0].mel[:FRAMES])
    made = [Clip("a", "sample", str(i), mel + shift) for i, shift in enumerate((-3.0, 3.0))]
    write_clips(Path("out"), made, models("vocoder").synthesiser(), fake.AUDIO)
    quiet, loud = read_rows(Path("out/index.jsonl"))
    assert quiet["peak"] < 1 < loud["peak"]
    sounds = [soundfile.read(f"out/a/samples/{i}.wav")[0] for i in range(2)]
    assert np.abs(sounds[0]).max() == pytest.approx(quiet["peak"], abs=1e-3)
    assert np.abs(sounds[1]).max() == pytest.approx(1, abs=1e-3), "scaled, and not cut off"
    assert np.mean(np.abs(sounds[1]) > 0.999) < 0.001


def test_eight_pictures_of_each_model_and_kind_at_most(features: Any) -> None:
    mel = np.array(features.tracks("test")[0].mel[:50])
    made = [Clip(m, "sample", f"{i:02d}", mel) for m in ("a", "b") for i in range(10)]
    draw_clips(Path("pictures"), made)
    names = sorted(path.name for path in Path("pictures").iterdir())
    assert names == [f"{m}-samples-{i:02d}.png" for m in ("a", "b") for i in range(8)]
