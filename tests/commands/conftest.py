"""A project with small models that were never trained, and a song for them."""

from dataclasses import replace
from pathlib import Path

import fake
import numpy as np
import pytest
import soundfile
import torch
import yaml

from melodygan.blocks.scale import Scale
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.model import TrainedCycleGAN
from melodygan.models.cyclegan.network import Generator as Translator
from melodygan.models.latent_gan.config import LatentGANParams
from melodygan.models.latent_gan.model import TrainedLatentGAN
from melodygan.models.latent_gan.network import Generator
from melodygan.models.latent_prior.autoregressive.model import TrainedAutoregressive, grid_of
from melodygan.models.latent_prior.autoregressive.network import GridTransformer
from melodygan.models.latent_prior.config import LatentPriorParams
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.griffinlim import GriffinLim
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.vqvae.network import VQVAE
from melodygan.models.wgan_gp.config import WGANGPParams
from melodygan.models.wgan_gp.model import TrainedWGANGP
from melodygan.models.wgan_gp.network import Generator as ClipGenerator
from melodygan.models.wgan_gp.spaces import MelDecoder
from melodygan.pipeline.params import load

RATE = fake.AUDIO.sample_rate


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a VQ-VAE, a vocoder, and models for two labels, a GAN without any."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    fake.write_params(tmp_path, audio=fake.AUDIO.as_dict(), **fake.MODELS)
    params = load(VQVAEParams, "vqvae")
    vqvae = TrainedVQVAE(VQVAE(params), params, fake.AUDIO, -6.0, 2.0)
    vqvae.save(Path("models/vqvae"))
    prior = load(LatentPriorParams, "latent_prior").autoregressive
    network = GridTransformer(prior, grid_of(vqvae), 2)
    TrainedAutoregressive(network, prior, vqvae, ["beat", "drone"]).save(
        Path("models/latent_prior")
    )
    gan = load(LatentGANParams, "latent_gan")
    generator = Generator(gan.noise_dim, gan.channels, (4, *vqvae.latent_shape[1:]))
    mean, basis = torch.zeros(params.code_dim), torch.eye(params.code_dim)[:, :4].contiguous()
    TrainedLatentGAN(generator, gan, vqvae, mean, basis).save(Path("models/latent_gan"))
    wgan = replace(load(WGANGPParams, "wgan_gp"), space="mel")
    clips = ClipGenerator(wgan, 2, (1, fake.AUDIO.n_mels, wgan.frames))
    TrainedWGANGP(clips, wgan, fake.AUDIO, ["beat", "drone"], MelDecoder()).save(
        Path("models/wgan_gp")
    )
    cyclegan = load(CycleGANParams, "cyclegan")
    pair = {("beat", "drone"): Translator(cyclegan.width, cyclegan.blocks)}
    TrainedCycleGAN(pair, cyclegan, fake.AUDIO, Scale(2.0)).save(Path("models/cyclegan"))
    vocoder = replace(load(VocoderParams, "vocoder"), kind="griffinlim")
    Vocoder(vocoder, fake.AUDIO, GriffinLim(fake.AUDIO, 4)).save(Path("models/vocoder"))
    names = sorted(folder.name for folder in Path("models").iterdir())
    stages = {name: {"cmd": "x", "desc": f"What {name} does"} for name in names}
    stages["generate"] = {"cmd": "x", "deps": [f"models/{name}" for name in names]}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    return tmp_path


def a_song(path: Path, seconds: float = 4.0) -> np.ndarray:
    """A quiet tune of notes struck twice a second; (samples,)."""
    time = np.arange(round(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * np.where(time % 1 < 0.5, 220, 330) * time)
    sound = (0.05 * tone * np.exp(-5 * (time % 0.5))).astype(np.float32)
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    return sound


@pytest.fixture
def song(models: Path) -> np.ndarray:
    """song.wav, in a project whose models hear the whole mix."""
    root = yaml.safe_load((fake.ROOT / "params.yaml").read_text())
    groups = {"separate": root["separate"] | {"enabled": False}, "preprocess": root["preprocess"]}
    fake.write_params(models, audio=fake.AUDIO.as_dict(), **fake.MODELS, **groups)
    return a_song(models / "song.wav")
