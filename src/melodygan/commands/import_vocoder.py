"""`melodygan import-vocoder NAME`: a public checkpoint becomes models/vocoder."""

import os
from pathlib import Path

from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.discriminators import write
from melodygan.models.vocoder.imports import import_checkpoint, import_discriminators
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import load


def import_vocoder(name: str, out: Path) -> str:
    """Write the vocoder in a public checkpoint to the folder `out`; return what to say of it.

    With a HiFi-GAN's discriminators, where they lie beside it. Raises UserError where
    `import_checkpoint` and `import_discriminators` do, and for an `out` that is there and is no
    model's folder; `out` is then as it was.
    """
    if os.path.lexists(out) and not (out / "config.json").is_file():
        raise UserError(f"{out} is there and is no model's folder: give another name with -o")
    vocoder = import_checkpoint(name, load(VocoderParams, "vocoder"), load(MelConfig, "audio"))
    discriminators = import_discriminators(name)
    vocoder.save(out)
    if discriminators:
        write(discriminators, out)
    weights = sum(weight.numel() for weight in vocoder.network.parameters())
    return f"{out}: {vocoder.params.kind} with {weights:,} parameters, from {name}" + (
        ", and its discriminators" if discriminators else ""
    )
