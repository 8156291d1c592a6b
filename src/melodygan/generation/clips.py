"""Everything the trained models can make, as WAV files with an index."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig
from melodygan.audio.pcm import to_int16
from melodygan.dataset.feature_set import FeatureSet, Track
from melodygan.generation.config import GenerateParams
from melodygan.models.cyclegan.model import TrainedCycleGAN
from melodygan.models.latent_gan.model import TrainedLatentGAN
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline.files import write_rows

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """One thing to listen to. mel: log-mel (frames, n_mels), as the model made it.

    kind: sample | conversion | reconstruction | original (a test track through the vocoder only,
    what the others would sound like if the models before it were perfect). track, source: where
    it comes from; label: what it should sound like; all None for a sample.
    """

    name: str
    kind: str
    mel: Float
    track: str | None = None
    source: str | None = None
    label: str | None = None


class Models:
    """The trained models of one pipeline run, checked against one mel configuration."""

    def __init__(self, folder: Path, audio: MelConfig) -> None:
        self.vqvae = TrainedVQVAE.load(folder / "vqvae", audio)
        self.latent_gan = TrainedLatentGAN.load(folder / "latent_gan", self.vqvae)
        self.cyclegan = TrainedCycleGAN.load(folder / "cyclegan", audio)
        self.vocoder = Vocoder.load(folder / "vocoder", audio)


def make_clips(
    models: Models, features: FeatureSet, params: GenerateParams, seed: int
) -> Iterator[Clip]:
    """Samples of the latent GAN, then every chosen test track rebuilt and converted."""
    samples = models.latent_gan.sample(models.vqvae, params.samples, seed).numpy()
    for index, patch in enumerate(samples):
        yield Clip(f"samples/{index:03d}", "sample", np.ascontiguousarray(patch.T))
    frames = round(params.seconds * features.audio.frame_rate)
    for track in _chosen(features, params.tracks):
        mel = np.array(track.mel[:frames])
        origin = (track.track, track.label)
        yield Clip(f"originals/{track.track}", "original", mel, *origin, track.label)
        rebuilt = rebuild(models.vqvae, mel)
        yield Clip(
            f"reconstructions/{track.track}", "reconstruction", rebuilt, *origin, track.label
        )
        for source, target in models.cyclegan.generators:
            if source == track.label:
                converted = models.cyclegan.convert(mel, source, target)
                name = f"conversions/{track.track}-to-{target}"
                yield Clip(name, "conversion", converted, *origin, target)


def write_clips(folder: Path, clips: list[Clip], vocoder: Vocoder, audio: MelConfig) -> None:
    """Synthesise every clip into `<folder>/<name>.wav` (16 bit) and write index.jsonl.

    Index columns: name, kind, track, source, label, frames, peak (of the synthesised signal; above
    1 the whole clip is scaled down to 1 instead of clipped).
    """
    rows = []
    for clip in clips:
        samples = vocoder.synthesise(clip.mel)
        peak = float(np.abs(samples).max(initial=0.0))
        path = folder / f"{clip.name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, to_int16(samples / max(1.0, peak)), audio.sample_rate, "PCM_16")
        rows.append(
            {
                "name": clip.name,
                "kind": clip.kind,
                "track": clip.track,
                "source": clip.source,
                "label": clip.label,
                "frames": len(clip.mel),
                "peak": round(peak, 4),
            }
        )
    write_rows(folder / "index.jsonl", sorted(rows, key=lambda row: str(row["name"])))


def rebuild(vqvae: TrainedVQVAE, mel: Float) -> Float:
    """A track through encoder, codebook and decoder: (frames, n_mels) -> the same shape."""
    stride = vqvae.params.stride
    padded = np.pad(mel, ((0, -len(mel) % stride), (0, 0)), "edge")
    codes = vqvae.encode(torch.from_numpy(np.ascontiguousarray(padded.T))[None])
    return np.ascontiguousarray(vqvae.decode(codes)[0].numpy().T[: len(mel)])


def _chosen(features: FeatureSet, per_label: int) -> list[Track]:
    chosen: list[Track] = []
    for label in features.labels:
        of_label = [track for track in features.tracks("test") if track.label == label]
        chosen += of_label[:per_label]
    return chosen
