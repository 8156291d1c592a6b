"""`melodygan export vocoder`: models/vocoder as ONNX, with a card that says what it is."""

from pathlib import Path

from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.export import Precision, export_onnx
from melodygan.models.vocoder.model import load as load_vocoder
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import load

HEAD = "# Vocoder ("  # of a card
CARD = """\
# Vocoder ({kind})

Log-mel to sound, exported by MelodyGAN. {parameters:,} parameters, stored as {precision}.

- Input `mel`: float32 (batch, {n_mels}, frames), natural log of max(mel, 1e-5).
- Output `audio`: float32 (batch, frames * {hop_length}) in [-1, 1] at {sample_rate} Hz.
- The mel: {mel}; slaney scale and area, magnitude, no centring, {padding} samples reflected.
- A sample depends on {reach} frames on each side: {ms:.0f} ms of look-ahead in a stream.
- Largest difference from torch with these weights under onnxruntime: {gap:.1e}.
"""


def export_vocoder(out: Path, precision: Precision = "fp32") -> str:
    """Write `out` and, beside it, its card `*.md`; return what to say of it.

    Raises UserError for a missing model, a name that would replace anything but an earlier export,
    and where `export_onnx` does.
    """
    card = out.with_suffix(".md")
    _require_free(out, card)
    vocoder = load_vocoder(Path("models/vocoder"), load(MelConfig, "audio"))
    gap = export_onnx(vocoder, out, precision)
    card.write_text(_card(vocoder, gap, precision))
    return f"{out}, {card}: {vocoder.params.kind}, within {gap:.1e} of torch"


def _require_free(out: Path, card: Path) -> None:
    """Raise UserError unless `out` and its card are free, or from an earlier export."""
    if out.suffix != ".onnx":
        raise UserError(f"{out}: the vocoder is written as ONNX, give a name that ends in .onnx")
    if not out.parent.is_dir():
        raise UserError(f"{out.parent} is no folder: make it first, or give another name with -o")
    if out.is_dir():
        raise UserError(f"{out} is a folder: give another name with -o")
    if card.exists() and not (card.is_file() and card.read_bytes().startswith(HEAD.encode())):
        raise UserError(f"{card} is there and is no vocoder's card: give another name with -o")


def _card(vocoder: Vocoder, gap: float, precision: Precision) -> str:
    audio, reach = vocoder.audio, vocoder.reach or 0
    mel = ", ".join(f"{key} {value}" for key, value in sorted(audio.as_dict().items()))
    return CARD.format(
        kind=vocoder.params.kind,
        parameters=sum(weight.numel() for weight in vocoder.network.parameters()),
        n_mels=audio.n_mels,
        hop_length=audio.hop_length,
        sample_rate=audio.sample_rate,
        padding=audio.padding,
        mel=mel,
        reach=reach,
        ms=1000 * reach / audio.frame_rate,
        gap=gap,
        precision=precision,
    )
