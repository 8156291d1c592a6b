"""`melodygan import-vocoder NAME`: a public checkpoint becomes models/vocoder."""

from pathlib import Path

from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.discriminators import write
from melodygan.models.vocoder.imports import import_checkpoint, import_discriminators
from melodygan.pipeline.params import load


def import_vocoder(name: str, out: Path) -> str:
    """Write the vocoder in a public checkpoint to the folder `out`; return what to say of it.

    With a HiFi-GAN's discriminators, where they lie beside it. Raises UserError where
    `import_checkpoint` and `import_discriminators` do; `out` is then as it was.
    """
    vocoder = import_checkpoint(name, load(VocoderParams, "vocoder"), load(MelConfig, "audio"))
    discriminators = import_discriminators(name)
    vocoder.save(out)
    if discriminators:
        write(discriminators, out)
    weights = sum(weight.numel() for weight in vocoder.network.parameters())
    return f"{out}: {vocoder.params.kind} with {weights:,} parameters, from {name}" + (
        ", and its discriminators" if discriminators else ""
    )
