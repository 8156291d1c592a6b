"""Models as their stages would have saved them, untrained, and music to let them make sound of."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import pytest
import torch
import yaml

from melodygan.audio.mel import MelConfig
from melodygan.blocks.scale import Scale
from melodygan.dataset.feature_set import FeatureSet
from melodygan.generation.makers import Makers
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.model import TrainedCycleGAN
from melodygan.models.cyclegan.network import Generator
from melodygan.models.latent_gan.config import LatentGANParams
from melodygan.models.latent_gan.model import TrainedLatentGAN
from melodygan.models.latent_gan.network import Generator as LatentGenerator
from melodygan.models.pix2pix.config import Pix2PixParams
from melodygan.models.pix2pix.model import TrainedPix2Pix, make_generator
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.griffinlim import GriffinLim
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.vqvae.network import VQVAE
from melodygan.pipeline.params import load

Models = Callable[..., Makers]


@pytest.fixture
def features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureSet:
    """Two test tracks of each of the labels beat and drone, in a project of their own."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    fake.write_params(tmp_path, audio=fake.AUDIO.as_dict(), **fake.MODELS)
    tracks = fake.with_stems(fake.tunes(["beat", "drone"]))
    fake.write_features(tmp_path / "data/features", tracks)
    return FeatureSet(tmp_path / "data/features", fake.AUDIO)


@pytest.fixture
def models(features: FeatureSet) -> Models:
    """Saves the models that are named, and loads what dvc.yaml then declares."""

    def make(*names: str, audio: MelConfig = fake.AUDIO) -> Makers:
        for name in names:
            _save(name, features)
        deps = [f"models/{name}" for name in names]
        Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"generate": {"deps": deps}}}))
        return Makers(audio, torch.device("cpu"))

    return make


def _save(name: str, features: FeatureSet) -> None:
    mean, std = features.statistics()
    vqvae_params = load(VQVAEParams, "vqvae")
    vqvae = TrainedVQVAE(VQVAE(vqvae_params), vqvae_params, fake.AUDIO, mean, std)
    made: Any
    if name == "vqvae":
        made = vqvae
    elif name == "latent_gan":
        params = load(LatentGANParams, "latent_gan")
        dim, *grid = vqvae.latent_shape
        shape = (params.components, *grid)
        generator = LatentGenerator(params.noise_dim, params.channels, shape)
        basis = torch.eye(dim)[:, : params.components].contiguous()
        made = TrainedLatentGAN(generator, params, vqvae, torch.zeros(dim), basis)
    elif name == "cyclegan":
        gan = load(CycleGANParams, "cyclegan")
        directions = [("beat", "drone"), ("drone", "beat")]
        generators = {way: Generator(gan.width, gan.blocks) for way in directions}
        made = TrainedCycleGAN(generators, gan, fake.AUDIO, Scale.of(mean, std))
    elif name == "pix2pix":
        pairs = load(Pix2PixParams, "pix2pix")
        scale = Scale.of(mean, std)
        stem = make_generator(pairs, fake.AUDIO, scale).eval()
        made = TrainedPix2Pix(stem, pairs, fake.AUDIO, scale, -20.0)
    else:
        own = replace(load(VocoderParams, "vocoder"), kind="griffinlim")
        made = Vocoder(own, fake.AUDIO, GriffinLim(fake.AUDIO, 4))
    made.save(Path("models") / name)
