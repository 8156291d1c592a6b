"""The tagger's network, with the layers and constants of the published graph."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Float = NDArray[np.float32]

N_MELS = 96
FRAMES = 187  # of a window, as in training
N_TAGS = 50
WIDTH = 200  # of the embedding
EPSILON = 1e-3  # of batch normalisation, TensorFlow's default
TIMBRAL = (38, 67)  # mel bands that a timbral filter spans
TEMPORAL = (128, 64, 32)  # frames that a temporal filter spans


class FrontEnd(nn.Module):
    """One shape of filter over the spectrogram, then its loudest place in frequency.

    (batch, 1, frames, mels) -> (batch, filters, frames).
    """

    def __init__(self, filters: int, height: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, filters, (height, width))
        self.norm = nn.BatchNorm2d(filters, EPSILON)
        before = (height - 1) // 2  # TensorFlow's "same": an even filter looks ahead further
        self.padding = (0, 0, before, height - 1 - before)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(functional.relu(self.conv(functional.pad(x, self.padding)))).amax(3)


class MidEnd(nn.Module):
    """Convolution over seven frames: (batch, channels, frames) -> (batch, 64, frames)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, 64, 7, padding=3)
        self.norm = nn.BatchNorm1d(64, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(functional.relu(self.conv(x)))


class Tagger(nn.Module):
    """musicnn: log-mel windows (batch, frames, 96) -> embedding (batch, 200) and logits of 50 tags.

    The embedding is the layer before the last, after its normalisation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1, EPSILON)
        self.front = nn.ModuleList(
            [FrontEnd(204, 7, bands) for bands in TIMBRAL]
            + [FrontEnd(51, frames, 1) for frames in TEMPORAL]
        )
        channels = 2 * 204 + 3 * 51
        self.mid = nn.ModuleList([MidEnd(channels), MidEnd(64), MidEnd(64)])
        pooled = 2 * (channels + 3 * 64)
        self.pooled_norm = nn.BatchNorm1d(pooled, EPSILON)
        self.dense = nn.Linear(pooled, WIDTH)
        self.dense_norm = nn.BatchNorm1d(WIDTH, EPSILON)
        self.logits = nn.Linear(WIDTH, N_TAGS)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        x = self.norm(windows[:, None])
        front = torch.cat([part(x) for part in self.front], 1)
        first = self.mid[0](front)
        second = self.mid[1](first) + first
        third = self.mid[2](second) + second
        features = torch.cat([front, first, second, third], 1)
        # maximum and mean of each channel lie side by side, as the published graph flattens them
        pooled = torch.stack([features.amax(2), features.mean(2)], 2).flatten(1)
        hidden = functional.relu(self.dense(self.pooled_norm(pooled)))
        embedding = self.dense_norm(hidden)
        return embedding, self.logits(embedding)


def from_tensorflow(variables: dict[str, Float]) -> dict[str, Tensor]:
    """The published graph's variables under this network's names and axis orders.

    TensorFlow numbers layers in the order they are made. Raises KeyError for one that is missing.
    """
    convolutions = [f"front.{i}" for i in range(5)] + [f"mid.{i}" for i in range(3)]
    norms = ["norm", *(f"{name}.norm" for name in convolutions), "pooled_norm", "dense_norm"]
    state = {}
    for number, name in enumerate(convolutions):
        layer = _layer("conv2d", number)
        kernel = torch.from_numpy(variables[f"{layer}/kernel"])  # (height, width, in, out)
        # a middle convolution spans all channels, which lie along its kernel's width
        kernel = kernel.permute(3, 2, 0, 1) if number < 5 else kernel[:, :, 0].permute(2, 1, 0)
        state[f"{name}.conv.weight"] = kernel.contiguous()
        state[f"{name}.conv.bias"] = torch.from_numpy(variables[f"{layer}/bias"])
    for number, name in enumerate(norms):
        layer = _layer("batch_normalization", number)
        for ours, theirs in [
            ("weight", "gamma"),
            ("bias", "beta"),
            ("running_mean", "moving_mean"),
            ("running_var", "moving_variance"),
        ]:
            state[f"{name}.{ours}"] = torch.from_numpy(variables[f"{layer}/{theirs}"])
        state[f"{name}.num_batches_tracked"] = torch.tensor(0)
    for number, name in enumerate(["dense", "logits"]):
        layer = _layer("dense", number)
        state[f"{name}.weight"] = torch.from_numpy(variables[f"{layer}/kernel"]).mT.contiguous()
        state[f"{name}.bias"] = torch.from_numpy(variables[f"{layer}/bias"])
    return state


def _layer(kind: str, number: int) -> str:
    return f"{kind}_{number}" if number else kind
