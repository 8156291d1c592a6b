"""Log-mel as the one-channel image that a network with tanh at its end wants."""

from torch import Tensor

from melodygan.audio.mel import LOG_SILENCE


class Scale:
    """Log-mel in ln units <-> the generator's [-1, 1]: silence is -1, `top` is 1."""

    def __init__(self, top: float) -> None:
        self.top = top

    @staticmethod
    def of(mean: float, std: float) -> "Scale":
        """From training statistics: four standard deviations above the mean are full scale."""
        return Scale(mean + 4 * std)

    def to_unit(self, log_mel: Tensor) -> Tensor:
        """Ln units to [-1, 1]."""
        return ((log_mel - LOG_SILENCE) / (self.top - LOG_SILENCE) * 2 - 1).clamp(-1, 1)

    def to_log(self, unit: Tensor) -> Tensor:
        """[-1, 1] to ln units."""
        return (unit + 1) / 2 * (self.top - LOG_SILENCE) + LOG_SILENCE
