"""What dvc.yaml declares is loaded, and each model is asked for what it can do and no more."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import torch

from melodygan.generation.makers import (
    Converter,
    Decoded,
    Extractor,
    Makers,
    Rebuilder,
    Sampler,
    Synthesiser,
)
from melodygan.pipeline.errors import UserError

ALL = ("cyclegan", "latent_gan", "pix2pix", "vocoder", "vqvae")


def test_models_are_found_by_what_they_can_do(models: Any) -> None:
    makers = models(*ALL)
    kinds = (Sampler, Converter, Extractor, Rebuilder, Synthesiser)
    able = {what: set(makers.able(what)) for what in kinds}
    assert able == {
        Sampler: {"latent_gan"},
        Converter: {"cyclegan", "pix2pix"},
        Extractor: {"pix2pix"},
        Rebuilder: {"vqvae"},
        Synthesiser: {"vocoder"},
    }
    assert set(makers.able(Decoded)) == {"latent_gan"}


def test_only_declared_models_are_loaded(models: Any) -> None:
    models("vocoder")
    assert set(models("vqvae").models) == {"vqvae"}


def test_all_keep_the_shapes_that_the_protocols_promise(models: Any, features: Any) -> None:
    makers = models(*ALL)
    mel = np.array(features.tracks("test")[0].mel[:100])
    (sampler,) = makers.able(Sampler).values()
    clips = sampler.sample(3, 0)
    assert clips.shape == (3, 64, fake.AUDIO.n_mels)
    assert np.array_equal(clips, sampler.sample(3, 0))
    assert not np.array_equal(clips, sampler.sample(3, 1))
    assert makers.able(Decoded)["latent_gan"].decoded(clips[:, :61]).shape == (3, 61, 32)
    assert makers.able(Rebuilder)["vqvae"].rebuild(mel).shape == mel.shape
    name, converter, source = makers.converter(None, "drone")
    assert (name, source) == ("cyclegan", "beat")
    assert converter.convert(mel, "beat", "drone").shape == mel.shape
    name, extractor, source = makers.converter(None, "instrumental")
    assert (name, source) == ("pix2pix", "mix")
    assert extractor.convert(mel, "mix", "instrumental").shape == mel.shape
    assert makers.synthesiser().synthesise(mel).shape == (100 * fake.AUDIO.hop_length,)


def test_what_no_model_can_do_is_said_with_what_there_is(models: Any) -> None:
    makers = models("cyclegan")
    there = re.escape("beat to drone (cyclegan), drone to beat (cyclegan)")
    for source, target in ((None, "jazz"), ("drone", "drone")):
        with pytest.raises(UserError, match=there):
            makers.converter(source, target)
    with pytest.raises(UserError, match="no vocoder among the deps of stage generate"):
        makers.synthesiser()


def test_a_missing_model_and_another_mel_convention_are_refused(models: Any) -> None:
    assert models("vqvae").models
    with pytest.raises(UserError, match="mel mismatch"):
        models("vqvae", audio=replace(fake.AUDIO, fmax=3000.0))
    for file in Path("models/vqvae").iterdir():
        file.unlink()
    with pytest.raises(UserError, match="models/vqvae"):
        Makers(fake.AUDIO, torch.device("cpu"))
