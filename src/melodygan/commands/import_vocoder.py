"""`melodygan import-vocoder NAME`: a public checkpoint becomes models/vocoder."""

from pathlib import Path

from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.imports import import_checkpoint
from melodygan.pipeline.params import load


def import_vocoder(name: str, out: Path) -> str:
    """Write the vocoder in a public checkpoint to the folder `out`; return what to say of it.

    Raises UserError where `import_checkpoint` does; `out` is then as it was.
    """
    vocoder = import_checkpoint(name, load(VocoderParams, "vocoder"), load(MelConfig, "audio"))
    vocoder.save(out)
    weights = sum(weight.numel() for weight in vocoder.network.parameters())
    return f"{out}: {vocoder.params.kind} with {weights:,} parameters, from {name}"
