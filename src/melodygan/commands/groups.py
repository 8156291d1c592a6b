"""Which dataclass reads which group of params.yaml: the whole file, checked at once."""

import math
import pkgutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import is_dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

import melodygan.models
from melodygan.audio.mel import MelConfig, mel_filterbank
from melodygan.dataset.split import SPLITS
from melodygan.dataset.vary import frames_needed
from melodygan.models.vocoder.config import cut_off, shortest_crop
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.names import clean
from melodygan.pipeline.params import load, load_seed, read_params
from melodygan.sources.lockfile import LockedTrack
from melodygan.training.settings import TrainSettings

COMPARED = 2048  # samples; the longest window in which scores/audio.py compares two sounds
JUDGED = 24  # mel bands: of fewer, PatchGAN (blocks/patchgan.py) has nothing left at its end
_FIXED = {
    "audio": "melodygan.audio.mel:MelConfig",
    "runtime": "melodygan.pipeline.runtime:Runtime",
    "download": "melodygan.sources.raw:DownloadParams",
    "separate": "melodygan.separation.stage_work:SeparateParams",
    "preprocess": "melodygan.dataset.preprocess:PreprocessParams",
    "features": "melodygan.dataset.features:FeaturesParams",
    "generate": "melodygan.generation.config:GenerateParams",
}


@cache
def groups() -> dict[str, Any]:
    """The dataclass of each group; each folder of models/ brings that of its name."""
    found: dict[str, Any] = {}
    for group, place in _FIXED.items():
        module, name = place.split(":")
        found[group] = getattr(import_module(module), name)
    for folder in pkgutil.iter_modules(melodygan.models.__path__):
        package = f"melodygan.models.{folder.name}"
        module = f"{package}.config" if find_spec(f"{package}.config") else package
        found[folder.name] = _params_of(vars(import_module(module)).values(), module)
    return found


def _params_of(values: Iterable[Any], module: str) -> Any:
    """The dataclass of a model's group: the one of its module that no other one contains."""
    own = [v for v in values if isinstance(v, type) and is_dataclass(v) and v.__module__ == module]
    inner = {hint for kind in own for hint in get_type_hints(kind).values()}
    (outer,) = (kind for kind in own if kind not in inner)
    return outer


def check_params(path: Path) -> dict[str, Any]:
    """Parse every group of the parameter file `path` and its seed; return the values by group.

    A stage checks only what it reads; this finds a mistake before the first stage runs.
    Raises UserError for the first unknown, missing or impossible value or group, or for values
    of several groups that cannot go together.
    """
    known = groups()
    for group in read_params(path):
        if group != "seed" and group not in known:
            raise UserError(f"{path}: unknown group `{group}` (known: seed, {', '.join(known)})")
    load_seed(path)
    values = {group: load(kind, group, path) for group, kind in known.items()}
    for complaint in complaints(values):
        raise UserError(f"{path}: {complaint}")
    return values


def complaints(values: dict[str, Any]) -> Iterator[str]:
    """What makes a stage fail though each group is valid by itself; values: by group."""
    audio, stems = values["audio"], values["preprocess"].stems
    empty = int((~mel_filterbank(audio).any(axis=1)).sum())
    if empty:
        yield (
            f"{empty} of the {audio.n_mels} mel bands have no frequency of n_fft {audio.n_fft} "
            "in them: lower audio.n_mels, or raise audio.n_fft"
        )
    if audio.n_mels < JUDGED:
        yield (
            f"audio.n_mels {audio.n_mels} must be at least {JUDGED}, for the discriminators of "
            "cyclegan and pix2pix"
        )
    if audio.padding >= values["preprocess"].min_seconds * audio.sample_rate:
        yield (
            f"audio.n_fft {audio.n_fft} is too long for tracks of preprocess.min_seconds: lower "
            "the one, or raise the other"
        )
    if values["features"].n_mfcc > audio.n_mels:
        yield f"features.n_mfcc must be at most audio.n_mels, {audio.n_mels}"
    if not values["separate"].enabled and "vocals" in stems:
        yield "preprocess.stems asks for vocals, but separate.enabled is false"
    if values["pix2pix"].task == "vocals" and not {"vocals", "mix"} <= set(stems):
        yield "pix2pix.task is vocals: preprocess.stems must have vocals and mix"
    shifted = {
        "latent_prior.autoregressive": values["latent_prior"].autoregressive,
        "cyclegan": values["cyclegan"],
    }
    for group, own in shifted.items():
        if own.transpose >= audio.n_mels:
            yield f"{group}.transpose must be less than audio.n_mels, {audio.n_mels}"
    yield from _beside_the_vqvae(values)
    yield from _of_the_vocoder(values["vocoder"], audio)
    processes = values["runtime"].processes
    for group, value in values.items():
        for settings in (value, *vars(value).values()):
            if isinstance(settings, TrainSettings) and settings.batch_size % processes:
                yield f"batch_size of {group} must be a multiple of runtime.processes, {processes}"


def _beside_the_vqvae(values: dict[str, Any]) -> Iterator[str]:
    """What does not fit the grid of latents, or has more components than they have."""
    vqvae, n_mels = values["vqvae"], values["audio"].n_mels
    if n_mels % vqvae.stride:
        yield f"audio.n_mels {n_mels} must be a multiple of vqvae.stride, {vqvae.stride}"
    inventors = {"latent_gan": values["latent_gan"]}
    if values["latent_prior"].kind == "flow":
        inventors["latent_prior.flow"] = values["latent_prior"].flow
    if values["wgan_gp"].space == "latent":
        inventors["wgan_gp"] = values["wgan_gp"]
        if values["wgan_gp"].frames % vqvae.stride:
            yield f"wgan_gp.frames must be a multiple of vqvae.stride, {vqvae.stride}"
    for group, own in inventors.items():
        if own.components > vqvae.code_dim:
            yield f"{group}.components must be at most vqvae.code_dim, {vqvae.code_dim}"


def _of_the_vocoder(vocoder: Any, audio: MelConfig) -> Iterator[str]:
    """What the chosen kind cannot be made of, or be trained on."""
    own = getattr(vocoder, vocoder.kind)
    rates = getattr(own, "rates", None)
    if rates and math.prod(rates) != audio.hop_length:
        yield (
            f"vocoder.{vocoder.kind}.rates {rates} multiply to {math.prod(rates)}, but "
            f"audio.hop_length is {audio.hop_length}"
        )
    if frames := getattr(own, "frames", None):  # of a kind that learns
        # transforms reflect half a window of a crop at each of its ends
        compared = vocoder.kind == "vocos" or getattr(own, "discriminator_channels", 1) == 0
        reflected = max(audio.padding, COMPARED // 2 if compared else 0)
        least = reflected // audio.hop_length + 1
        if vocoder.kind == "magnet":
            ends = 0 if vocoder.hears == "truth" else cut_off(audio)
            least = shortest_crop(audio, ends, COMPARED)
        if frames < least:
            yield f"vocoder.{vocoder.kind}.frames must be at least {least} for these transforms"


def complaints_about(tracks: Sequence[LockedTrack], values: dict[str, Any]) -> Iterator[str]:
    """What makes a stage fail on just these tracks, even if all of them can be used."""
    counts = Counter(clean(track.label) for track in tracks)
    if max(counts.values(), default=0) < len(SPLITS):
        yield "no label has three tracks: training, test and validation need one each"
    for label in values["cyclegan"].labels:
        if counts[clean(label)] < len(SPLITS):
            there = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
            yield f"cyclegan.labels has {clean(label)}, of which there are not three ({there})"
    lengths = [_seconds(track) for track in tracks]
    frame_rate = values["audio"].frame_rate
    labels = sum(count >= len(SPLITS) for count in counts.values())
    for key, frames in _longest_passages(values, labels):
        if frames > frame_rate * max(lengths, default=0.0):
            yield (
                f"{key} is longer than any track: {frames / frame_rate:.1f} s of at most "
                f"{max(lengths, default=0.0):.1f} s"
            )


def _seconds(track: LockedTrack) -> float:
    """Of the part of a track that is used, at most; endless where that is not known."""
    whole = math.inf if track.duration is None else track.duration
    return min(whole, math.inf if track.end is None else track.end) - (track.start or 0.0)


def has_pairs(values: dict[str, Any]) -> bool:
    """Whether pix2pix will have something to learn from."""
    stems = {"mix", values["pix2pix"].task}
    return bool(values["separate"].enabled) and stems <= set(values["preprocess"].stems)


def _longest_passages(values: dict[str, Any], labels: int) -> Iterator[tuple[str, float]]:
    """Keys of params.yaml, each with the frames that at least one track must have for it.

    labels: how many have enough tracks to convert between.
    """
    shortest = values["preprocess"].min_seconds
    yield "preprocess.min_seconds", shortest * values["audio"].frame_rate
    yield "vqvae.crop", values["vqvae"].crop
    yield "vqvae.frames", values["vqvae"].frames
    if labels > 1:
        frames, stretch = values["cyclegan"].frames, values["cyclegan"].stretch
        yield _stretched("cyclegan", "frames", stretch), frames_needed(frames, stretch)
    if has_pairs(values):
        yield "pix2pix.frames", values["pix2pix"].frames
    prior, stride = values["latent_prior"], values["vqvae"].stride
    kind = getattr(prior, prior.kind)
    stretch = getattr(kind, "stretch", 0.0)
    passage = frames_needed(kind.columns * stride, stretch)
    yield _stretched(f"latent_prior.{prior.kind}", "columns", stretch), passage
    vocoder = values["vocoder"]
    own = getattr(vocoder, vocoder.kind)
    yield f"vocoder.{vocoder.kind}.frames", getattr(own, "frames", 0)


def _stretched(group: str, key: str, stretch: float) -> str:
    """What a passage's length follows from."""
    return f"{group}.{key}, lengthened by {group}.stretch," if stretch else f"{group}.{key}"
