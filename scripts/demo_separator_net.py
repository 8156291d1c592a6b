"""The network of the shipped separation model, and its folder in the form of a UVR MDX model."""

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from melodygan.pipeline.files import write_json

N_FFT = 4096  # samples, at 44,100 Hz
HOP = 1024  # samples; fixed by audio-separator
BINS = 2048  # of the spectrum, lowest first; the last one is dropped
FRAMES = 256  # of one chunk; fixed by audio-separator
LOW_BINS = 1024  # that get masks of their own: up to 11 kHz
FOLD = 2  # neighbouring bins that become channels: half the work at full resolution
CHANNELS = (16, 32, 48, 64)
INNER = 32  # units between the two layers across frequency
MODEL_FILE = "melodygan_demo.onnx"
LISTS = ("vr", "mdx", "mdx_vip", "demucs", "mdx23c", "mdx23c_vip", "roformer")


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Convolution 3x3, batch norm, leaky ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.1),
    )


class AcrossFrequency(nn.Module):
    """Two layers along the whole frequency axis, added to their input.

    In and out: (batch, channels, rows, frames). 3x3 filters see a narrow band, but the
    harmonics of one voice lie all over the spectrum (the TDF of Choi et al. 2020, "Investigating
    U-Nets with various intermediate blocks for spectrogram-based singing voice separation", ISMIR).
    """

    def __init__(self, channels: int, rows: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(rows, INNER), nn.Linear(INNER, rows)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)])

    def forward(self, x: Tensor) -> Tensor:
        y = x.transpose(2, 3)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            y = nn.functional.leaky_relu(norm(layer(y)), 0.1)
        return x + y.transpose(2, 3)


class MaskNet(nn.Module):
    """U-Net from the log-magnitudes of left, right, middle and side to one mask a channel.

    `forward` has the interface of MDX models: (batch, 4, BINS, frames) with the channels left
    real, left imaginary, right real, right imaginary, both in and (for the vocals) out. The number
    of frames must be a multiple of 8.
    """

    def __init__(self) -> None:
        super().__init__()
        first = CHANNELS[0]
        self.place = nn.Parameter(torch.zeros(1, first, LOW_BINS // FOLD, 1))  # tells low from high
        self.enter = nn.Conv2d(4 * FOLD, first, 3, padding=1)
        self.across = AcrossFrequency(first, LOW_BINS // FOLD)
        self.down = nn.ModuleList(
            nn.Sequential(
                block(a, b, stride=2),
                AcrossFrequency(b, LOW_BINS // FOLD // 2 ** (level + 1)),
                block(b, b),
            )
            for level, (a, b) in enumerate(pairwise(CHANNELS))
        )
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(CHANNELS))
        self.up = nn.ModuleList(block(2 * a, a) for a in CHANNELS[:-1])
        self.leave = nn.Conv2d(first, 2 * FOLD, 1)

    def forward(self, spectrum: Tensor) -> Tensor:
        left, right = spectrum[:, :2], spectrum[:, 2:]
        sides = [left, right, (left + right) / 2, (left - right) / 2]
        magnitudes = torch.stack([_magnitude(side) for side in sides], 1)
        mask = self.mask(magnitudes[:, :2], magnitudes[:, 2:])
        return spectrum * mask.repeat_interleave(2, dim=1)

    def mask(self, channels: Tensor, middle_side: Tensor) -> Tensor:
        """Masks from 0 to 1, shape (batch, 2, BINS, frames), from two pairs of magnitudes."""
        magnitudes = torch.cat([channels, middle_side], 1)[:, :, :LOW_BINS]
        # relative to the mean, so that the level of a recording does not matter
        level = channels.mean((1, 2, 3), keepdim=True) + 1e-6
        x = self.enter(_fold(torch.log(magnitudes / level + 1e-2))) + self.place
        x = self.across(nn.functional.leaky_relu(x, 0.1))
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for narrow, up, skip in zip(
            reversed(self.narrow), reversed(self.up), reversed(skips), strict=True
        ):
            x = nn.functional.interpolate(narrow(x), scale_factor=2.0, mode="nearest")
            x = up(torch.cat([x, skip], 1))
        mask = torch.sigmoid(_unfold(self.leave(x)))
        # higher, there is little but consonants and cymbals: all bins follow the highest masks
        rest = mask[:, :, -LOW_BINS // 4 :].mean(2, keepdim=True)
        return torch.cat([mask, rest.repeat(1, 1, BINS - LOW_BINS, 1)], 2)


def _magnitude(parts: Tensor) -> Tensor:
    return (parts[:, 0] ** 2 + parts[:, 1] ** 2 + 1e-12).sqrt()


def _fold(x: Tensor) -> Tensor:
    batch, channels, bins, frames = x.shape
    x = x.reshape(batch, channels, bins // FOLD, FOLD, frames).transpose(2, 3)
    return x.reshape(batch, channels * FOLD, bins // FOLD, frames)


def _unfold(x: Tensor) -> Tensor:
    batch, channels, bins, frames = x.shape
    x = x.reshape(batch, channels // FOLD, FOLD, bins, frames).transpose(2, 3)
    return x.reshape(batch, channels // FOLD, bins * FOLD, frames)


def save_model_folder(net: MaskNet, folder: Path) -> float:
    """Write the ONNX file and the lists that audio-separator would otherwise download.

    Returns the largest difference between onnxruntime's and torch's output for one noise chunk,
    relative to the largest output; raises ValueError where it exceeds 1e-3.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / MODEL_FILE
    noise = torch.randn(1, 4, BINS, FRAMES, generator=torch.Generator().manual_seed(0))
    torch.onnx.export(
        net, (noise,), file, input_names=["input"], output_names=["output"], dynamo=False
    )
    md5 = hashlib.md5(file.read_bytes()).hexdigest()
    settings = {"compensate": 1.0, "mdx_dim_f_set": BINS, "mdx_dim_t_set": FRAMES.bit_length() - 1}
    settings |= {"mdx_n_fft_scale_set": N_FFT, "primary_stem": "Vocals"}
    models = {f"{name}_download_list": {} for name in LISTS if not name.endswith("vip")}
    models |= {f"{name[:-4]}_download_vip_list": {} for name in LISTS if name.endswith("vip")}
    models["mdx_download_list"] = {"MelodyGAN demo band": MODEL_FILE}  # type: ignore[dict-item]
    write_json(folder / "download_checks.json", models)
    write_json(folder / "mdx_model_data.json", {md5: settings})
    write_json(folder / "vr_model_data.json", {})
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"input": noise.numpy()})
    with torch.no_grad():
        expected = net(noise).numpy()
    difference = float(np.abs(output - expected).max() / np.abs(expected).max())
    if difference > 1e-3:
        raise ValueError(f"onnxruntime and torch differ by {difference:.1e} on {file}")
    return difference
