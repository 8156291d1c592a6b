"""Whether music without end stays what it was, for a test and for benchmarks/drift.py.

Of a part of it three numbers are taken: MEASURES. How much they change from the first part to the
last means nothing alone: music changes. So it is held against what two random parts of the training
tracks, as long and through the same codes and decoder, differ by.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig, mel_filterbank
from melodygan.models.vqvae.model import TrainedVQVAE

Float = NDArray[np.float32]
Values = NDArray[np.float64]

MEASURES = ("loudness, dB", "centroid, Hz", "code entropy, bits")
PAIRS = 50  # of random parts of the training tracks


def measured(log_mel: Float, codes: NDArray[Any], audio: MelConfig) -> Values:
    """MEASURES of a log-mel (frames, n_mels) and of its codes, in any shape.

    Loudness: mean power over time. Centroid: mean frequency, weighted by magnitude. A band
    stands for its filter's mean magnitude in as many bins as are the filter's share.
    """
    filters = mel_filterbank(audio).astype(np.float64)
    bins = np.linspace(0, audio.sample_rate / 2, audio.n_bins)
    share = (filters / np.maximum(filters.sum(0), 1e-12)).sum(1)
    middle = (filters @ bins) / filters.sum(1)
    magnitude = np.exp(log_mel.astype(np.float64)) / filters.sum(1)
    loudness = 10 * np.log10((magnitude**2 @ share).mean())
    centroid = (magnitude @ (share * middle)).sum() / (magnitude @ share).sum()
    used = np.unique(codes, return_counts=True)[1] / codes.size
    return np.array([loudness, centroid, -(used * np.log2(used)).sum()])


def parts(
    written: Iterator[torch.Tensor], vqvae: TrainedVQVAE, columns: int, count: int
) -> Iterator[Values]:
    """(pieces, measures) of each of the next `count` parts of `columns` columns of a music.

    written: its columns of codes, (pieces, books, height). Without the vocoder.
    Each part is decoded alone, so that memory does not grow.
    """
    for _ in range(count):
        codes = torch.stack(list(islice(written, columns)), -1)
        pairs = zip(vqvae.decode(codes), codes.cpu().numpy(), strict=True)
        yield np.array([measured(mel, of, vqvae.audio) for mel, of in pairs])


def by_chance(tracks: Sequence[Float], vqvae: TrainedVQVAE, columns: int, seed: int) -> Values:
    """Root mean square, by measure, of how two random parts of real tracks differ.

    tracks: log-mel (frames, n_mels) of twice `columns` columns at least. Tracks are laid one after
    the other in random order, and the first part and the second one that this gives compared.
    """
    stride = vqvae.params.stride
    codes = [vqvae.encode(mel[None, : len(mel) // stride * stride]) for mel in tracks]
    mels = [vqvae.decode(of)[0] for of in codes]
    rng = np.random.default_rng(seed)
    differences = []
    for _ in range(PAIRS):
        order = rng.permutation(len(tracks))
        mel = np.concatenate([mels[i] for i in order])
        grid = torch.cat([codes[i] for i in order], -1).cpu().numpy()
        if grid.shape[-1] < 2 * columns:
            raise ValueError(f"tracks of {grid.shape[-1]} columns, not of twice {columns}")
        both = [
            measured(mel[at * stride :][: columns * stride], grid[..., at :][..., :columns],
                     vqvae.audio)
            for at in (0, columns)
        ]  # fmt: skip
        differences.append(both[1] - both[0])
    return np.sqrt(np.square(differences).mean(0))


def change(first: Values, last: Values, chance: Values) -> Values:
    """By measure, how much the pieces changed on average, in standard errors of that by `chance`.

    first, last: (pieces, measures); chance: `by_chance` of parts as long.
    """
    return (last - first).mean(0) / (chance / np.sqrt(len(first)))
