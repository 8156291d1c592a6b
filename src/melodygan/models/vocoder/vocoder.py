"""The vocoder as other stages use it: log-mel of a whole song in, samples out."""

from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.griffin_lim import griffin_lim, mel_griffin_lim, mel_to_magnitude
from melodygan.audio.mel import LOG_FLOOR, MelConfig
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.network import MagNet, log_prior
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore, save_model

Float = NDArray[np.float32]


class Vocoder:
    """Either kind behind one interface; network is None for kind `griffinlim`."""

    def __init__(self, params: VocoderParams, audio: MelConfig, network: MagNet | None) -> None:
        self.params, self.audio = params, audio
        self.network = None if network is None else network.eval()

    @classmethod
    def load(cls, folder: Path, audio: MelConfig) -> Self:
        """Read models/vocoder. Raises UserError on a mel mismatch or broken files."""
        weights, config = load_model(folder, audio)
        params = parse(VocoderParams, config["params"], "params", str(folder / "config.json"))
        if params.kind == "griffinlim":
            return cls(params, audio, None)
        make = lambda: MagNet(audio, params.channels, params.blocks)  # noqa: E731
        return cls(params, audio, restore(make, weights, folder))

    def save(self, folder: Path) -> None:
        """Write models/vocoder."""
        weights = {} if self.network is None else self.network.state_dict()
        save_model(folder, weights, {"params": asdict(self.params)}, self.audio)

    @torch.no_grad()
    def synthesise(self, log_mel: Float) -> Float:
        """Sound of a log-mel (frames, n_mels) in ln units: (frames * hop_length,), unclipped.

        Deterministic on a CPU. A whole song at once: about 40 kB of memory per frame.
        """
        mel = torch.tensor(log_mel.T)[None]
        if self.network is None:
            magnitude = mel_to_magnitude(mel, self.audio)
            return griffin_lim(magnitude, self.audio, self.params.iterations)[0].numpy()
        mel = mel.to(self.network.mean.device)
        magnitude = self.network(mel, log_prior(mel, self.audio)).exp().clamp_min(LOG_FLOOR)
        return mel_griffin_lim(mel, magnitude, self.audio, self.params.iterations)[0].cpu().numpy()
