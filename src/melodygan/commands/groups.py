"""Which dataclass reads which group of params.yaml: the whole file, checked at once."""

from importlib import import_module
from pathlib import Path

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import load, load_seed, read_params

GROUPS = {
    "audio": "melodygan.audio.mel:MelConfig",
    "runtime": "melodygan.pipeline.runtime:Runtime",
    "download": "melodygan.sources.raw:DownloadParams",
    "separate": "melodygan.separation.stage_work:SeparateParams",
    "preprocess": "melodygan.dataset.preprocess:PreprocessParams",
    "features": "melodygan.dataset.features:FeaturesParams",
    "vqvae": "melodygan.models.vqvae.config:VQVAEParams",
    "latent_gan": "melodygan.models.latent_gan.config:LatentGANParams",
    "cyclegan": "melodygan.models.cyclegan.config:CycleGANParams",
    "vocoder": "melodygan.models.vocoder.config:VocoderParams",
    "generate": "melodygan.generation.config:GenerateParams",
}


def check_params(path: Path) -> None:
    """Parse every group of the parameter file `path` and its seed.

    A stage checks only what it reads; this finds a mistake before the first stage runs.
    Raises UserError for the first unknown, missing or impossible value or group.
    """
    for group in read_params(path):
        if group != "seed" and group not in GROUPS:
            raise UserError(f"{path}: unknown group `{group}` (known: seed, {', '.join(GROUPS)})")
    load_seed(path)
    for group, place in GROUPS.items():
        module, name = place.split(":")
        load(getattr(import_module(module), name), group, path)
