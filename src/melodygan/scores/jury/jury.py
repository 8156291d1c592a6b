"""What the jury hears: tags by name, embeddings of windows, and the distance of sets of sounds."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig, mel_filterbank
from melodygan.pipeline.errors import UserError
from melodygan.scores.distances import frechet_distance, kernel_distance
from melodygan.scores.jury.network import FRAMES, N_MELS, Tagger
from melodygan.scores.jury.weights import load_tagger
from melodygan.scores.rows import Rows

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]

AUDIO = MelConfig(16_000, 512, 256, 512, N_MELS, 0.0, 8000.0)
WINDOW = FRAMES * AUDIO.hop_length  # samples
BATCH = 16  # windows
DIMENSIONS = 16  # of an embedding that are kept for distances
MISSING = "no jury_distance: its weights are not installed: `uv sync --group jury`"
# fmt: off
TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female_vocalists", "dance", "00s",
    "alternative_rock", "jazz", "beautiful", "metal", "chillout", "male_vocalists", "classic_rock",
    "soul", "indie_rock", "mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental",
    "punk", "oldies", "blues", "hard_rock", "ambient", "acoustic", "experimental",
    "female_vocalist", "guitar", "hip-hop", "70s", "party", "country", "easy_listening", "sexy",
    "catchy", "funk", "electro", "heavy_metal", "progressive_rock", "60s", "rnb", "indie_pop",
    "sad", "house", "happy",
)
# fmt: on


class Jury:
    """The tagger on sounds of any sample rate. `find` makes one."""

    def __init__(self, network: Tagger) -> None:
        self.network = network

    @staticmethod
    def find() -> "Jury | None":
        """The jury, or None where its package is not installed; then `MISSING` says how to get it.

        Raises UserError if the installed files are damaged.
        """
        network = load_tagger()
        return None if network is None else Jury(network)

    def embed(self, samples: Float, rate: int) -> Matrix:
        """(samples,) at `rate` Hz -> (windows, 200), one row per 3 s, in order.

        A last window that is not full is left out; a shorter sound is repeated to fill one, as in
        the tagger's training. Raises ValueError for an empty sound.
        """
        return self._hear(samples, rate)[0]

    def tags(self, samples: Float, rate: int) -> dict[str, float]:
        """Mean probability over a sound's windows of each of 50 tags, such as "jazz"."""
        _, logits = self._hear(samples, rate)
        return dict(zip(TAGS, (1 / (1 + np.exp(-logits))).mean(0).tolist(), strict=True))

    @torch.no_grad()
    def _hear(self, samples: Float, rate: int) -> tuple[Matrix, Matrix]:
        """Embeddings and logits of all windows."""
        windows = torch.from_numpy(_windows(samples, rate))
        parts = [self.network(part) for part in windows.split(BATCH)]
        columns = zip(*parts, strict=True)
        embedding, logits = (torch.cat(column).double().numpy() for column in columns)
        return embedding, logits


def tag_of(label: str) -> str | None:
    """The jury's tag for a label of the data ("Hip Hop": "hip-hop"); None if it knows none."""
    plain = {_letters(tag): tag for tag in TAGS}
    return plain.get(_letters(label))


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _windows(samples: Float, rate: int) -> Float:
    """The tagger's input: log10(1 + 10^4 mel power), (windows, 187, 96).

    Centred frames of zero-padded sound, as librosa makes them. The published code also rounds
    the power to 16 bits, which moves the tags of a chord by 5e-6.
    """
    if not len(samples):
        raise ValueError("an empty sound has no windows")
    if rate != AUDIO.sample_rate:
        import soxr  # here, since models read scores where no audio library is

        samples = soxr.resample(samples, rate, AUDIO.sample_rate)
    if len(samples) < WINDOW:
        samples = np.resize(samples, WINDOW)
    audio = torch.from_numpy(np.asarray(samples, np.float32))
    spectrum = torch.stft(
        audio,
        AUDIO.n_fft,
        AUDIO.hop_length,
        window=torch.hann_window(AUDIO.n_fft),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    power = spectrum.real**2 + spectrum.imag**2
    mel = torch.tensor(mel_filterbank(AUDIO)) @ power
    frames = torch.log10(1 + 1e4 * mel).mT.numpy()
    count = len(frames) // FRAMES
    return np.ascontiguousarray(frames[: count * FRAMES]).reshape(count, FRAMES, N_MELS)


class JurySpace:
    """Principal components of the embedding of real training sounds: where sets are compared.

    Sets are lists of `Jury.embed` results, one per sound. Equal numbers of windows are compared,
    evenly spread over each set, since the Frechet distance depends on the number.
    """

    def __init__(self, train: Sequence[Matrix]) -> None:
        """Raises UserError for fewer than two windows."""
        real = np.concatenate(train)
        if len(real) < 2:
            raise UserError("the jury needs at least two windows (6 s) of training sound")
        self.mean = real.mean(0)
        _, _, axes = np.linalg.svd(real - self.mean, full_matrices=False)
        self.axes = axes[:DIMENSIONS].T

    def distances(
        self, made: Sequence[Matrix], real: Sequence[Matrix], count: int | None = None
    ) -> dict[str, float]:
        """`frechet` and `kernel` distance of two sets of sounds, and the number of `windows`.

        count: at most so many windows of each, to compare several sets on equal terms.
        Raises UserError for fewer than two windows.
        """
        windows = [sum(map(len, sounds)) for sounds in (made, real)]
        count = min(*windows, count or windows[0])
        if count < 2:
            raise UserError("the jury needs at least two windows (6 s) of each set of sounds")
        a, b = (self._rows(sounds, count) for sounds in (made, real))
        weights = [np.ones((1, rows.tracks)) for rows in (a, b)]
        return {
            "frechet": float(frechet_distance(a, b, *weights)[0]),
            "kernel": float(kernel_distance(a, b, *weights)[0]),
            "windows": float(count),
        }

    def apply(self, windows: Matrix) -> Matrix:
        """Embeddings (windows, 200) -> their principal components (windows, 16)."""
        return (windows - self.mean) @ self.axes

    def _rows(self, sounds: Sequence[Matrix], count: int) -> Rows:
        """`count` windows, evenly spread over the set; those of one sound belong together."""
        owner = np.repeat(np.arange(len(sounds)), [len(sound) for sound in sounds])
        chosen = np.linspace(0, len(owner) - 1, count).round().astype(int)
        values = self.apply(np.concatenate(sounds)[chosen])
        return Rows(values, np.unique(owner[chosen], return_inverse=True)[1])
