"""Kind `griffinlim`: fast Griffin-Lim on the least-squares magnitude of the mel."""

from torch import Tensor, nn

from melodygan.audio.griffin_lim import griffin_lim, mel_to_magnitude
from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.lengths import at_least, reflected


class GriffinLim(nn.Module):
    """(batch, n_mels, frames) -> (batch, frames * hop_length); without weights."""

    def __init__(self, audio: MelConfig, iterations: int) -> None:
        super().__init__()
        self.audio, self.iterations = audio, iterations

    def forward(self, log_mel: Tensor, lead: Tensor | None = None) -> Tensor:
        """Sound of log-mel; lead: see `vocoder.py`."""
        long = at_least(log_mel, reflected(self.audio))
        magnitude = mel_to_magnitude(long, self.audio)
        sound = griffin_lim(magnitude, self.audio, self.iterations, lead=lead)
        return sound[:, : log_mel.shape[-1] * self.audio.hop_length]
