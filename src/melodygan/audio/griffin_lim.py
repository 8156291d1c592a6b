"""Sound from magnitudes: fast Griffin-Lim, and the way from a log-mel to a magnitude and back.

`griffin_lim` is the textbook baseline. `mel_griffin_lim` knows that only the mel is given, not the
magnitude: it looks for phase and magnitude together, among the magnitudes that have this mel.
The idea is that of Masuyama, Ueno and Ono 2023 (https://arxiv.org/abs/2307.12232); the step used
here is one multiplicative update a round, which keeps magnitudes positive without a step size.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from melodygan.audio.mel import LOG_FLOOR, MelConfig, mel_filterbank, mel_inverse, window
from melodygan.audio.stft import overlap_add, stft

Bands = list[tuple[slice, NDArray[np.float32]]]  # rows, and what some columns have there

MOMENTUM = 0.99
TINY = 1e-6  # smallest curvature of a peak
BLOCK = 256  # frames whose windowed samples still fit into the processor's cache
BAND = 16  # neighbouring columns of a banded matrix that are multiplied together
SMALLEST = 1e-8  # divisor: below it there is no signal
HELD = 0.25  # of the iterations keep the first magnitude, until the phases are worth listening to


def griffin_lim(
    magnitude: Tensor,
    config: MelConfig,
    iterations: int = 32,
    momentum: float = MOMENTUM,
    seed: int = 0,
    lead: Tensor | None = None,
) -> Tensor:
    """A signal whose spectrogram is near `magnitude`: (batch, bins, frames) -> (batch, samples).

    Fast Griffin-Lim (Perraudin, Balazs, Sondergaard 2013, "A fast Griffin-Lim algorithm");
    momentum 0 is the original (Griffin and Lim 1984). samples = frames * hop_length. The first
    phases are random, drawn from `seed` alone. lead: (batch, samples), the sound of the first
    frames where it is known already: it is held fixed, and the rest follows it.
    """
    target = magnitude.mT.contiguous()
    spec = target * _random_phase(magnitude, seed).mT
    return _search(
        spec, config, iterations, momentum, lead, lambda _, block, found: target[:, block]
    )


def mel_griffin_lim(
    log_mel: Tensor,
    magnitude: Tensor,
    config: MelConfig,
    iterations: int = 32,
    lead: Tensor | None = None,
) -> Tensor:
    """A signal near `magnitude` (batch, bins, frames) whose log-mel is near `log_mel`.

    log_mel: (batch, n_mels, frames); magnitude: positive. Returns (batch, frames * hop_length).
    Like `griffin_lim`, but it starts from `peak_phase`, and after the first quarter of the
    iterations the magnitude is that of the signal found so far, corrected to have the given mel.
    Bins that no mel filter covers keep `magnitude`. lead: as in `griffin_lim`.
    """
    first = magnitude.mT.contiguous()
    spec = first * peak_phase(magnitude, config, lead).mT
    match = _MelMatch(log_mel.mT, config)

    def target(iteration: int, block: slice, found: Tensor) -> Tensor:
        if iteration < HELD * iterations:
            return first[:, block]
        return torch.where(match.covered, match(_length(found), block), first[:, block])

    return _search(spec, config, iterations, MOMENTUM, lead, target)


def mel_to_magnitude(log_mel: Tensor, config: MelConfig) -> Tensor:
    """Least-squares magnitude of a log-mel, floored at 1e-5.

    (batch, n_mels, frames) -> (batch, bins, frames).
    """
    inverse = torch.tensor(mel_inverse(config), device=log_mel.device)
    return (inverse @ log_mel.exp()).clamp_min(LOG_FLOOR)


def match_mel(magnitude: Tensor, log_mel: Tensor, config: MelConfig, rounds: int = 1) -> Tensor:
    """Bring a magnitude (batch, bins, frames) closer to having the given log-mel.

    Each round multiplies every bin by the mean ratio of wanted to present mel over its filters:
    the Kullback-Leibler update of Lee and Seung 2001 ("Algorithms for non-negative matrix
    factorization"), whose fixed point has exactly this mel. Uncovered bins stay as they are.
    """
    match = _MelMatch(log_mel.transpose(1, 2), config)  # ONNX does not know mT
    frames_first = magnitude.transpose(1, 2)
    for _ in range(rounds):
        frames_first = match(frames_first, slice(None))
    return frames_first.transpose(1, 2)


@torch.no_grad()
def peak_phase(magnitude: Tensor, config: MelConfig, lead: Tensor | None = None) -> Tensor:
    """Phases of steady sinusoids at the spectrum's peaks: (batch, bins, frames), unit complex.

    Single-pass inversion (Beauregard, Harish and Wyse 2015, "Single Pass Spectrogram Inversion"):
    a peak's phase goes on from where that bin was in the frame before, and the bins around a peak
    follow it. Neighbouring bins alternate in sign because a frame's phases count from its first
    sample, half a window before its centre. Frames whose sound is known (lead, as in `griffin_lim`)
    keep its phases, from which the others go on. Without gradient.
    """
    nearest, frequency = _peaks(magnitude)
    # in cycles and float64: over a song the sum is far too large for float32
    advance = frequency.double() * config.hop_length / config.n_fft
    bins = torch.arange(magnitude.shape[1], device=magnitude.device)
    known = _known_phase(lead, config)
    first = advance.new_zeros(*advance.shape[:2], 0)
    if known is not None:
        first = known.angle().double() / (2 * torch.pi) - bins[:, None] / 2
    turns = torch.cat([first, _follow(advance, nearest, first)], -1)
    angle = 2 * torch.pi * ((turns + bins[:, None] / 2) % 1)
    return torch.polar(torch.ones_like(magnitude), angle.to(magnitude.dtype))


def _follow(advance: Tensor, nearest: Tensor, known: Tensor) -> Tensor:
    """Cycles of the frames after the known ones: each bin goes on from its peak a frame before.

    All (batch, bins, frames). In numpy, whose calls cost a fraction of torch's: there is one for
    every frame.
    """
    batch, bins, done = known.shape
    device, shape = advance.device, (-1, batch * bins)
    steps = advance[..., done:].permute(2, 0, 1).reshape(shape).cpu().numpy()
    offset = bins * torch.arange(batch, device=device)[:, None, None]
    sources = (nearest + offset)[..., done:].permute(2, 0, 1).reshape(shape).cpu().numpy()
    before = known[..., -1].reshape(-1).cpu().numpy() if done else np.zeros(batch * bins)
    cycles = np.empty_like(steps)
    for row, step, source in zip(cycles, steps, sources, strict=True):
        np.take(before + step, source, out=row, mode="clip")  # other modes buffer `out`
        before = row
    return torch.from_numpy(cycles).view(-1, batch, bins).permute(1, 2, 0).to(device)


def _known_phase(lead: Tensor | None, config: MelConfig) -> Tensor | None:
    """Spectra of the frames that lie in `lead` alone, (batch, bins, frames); None for none."""
    if lead is None or lead.shape[-1] <= config.n_fft:
        return None
    reflected = config.padding // config.hop_length + 1  # frames that reach beyond its end
    return stft(lead, config)[..., :-reflected]


def _led(audio: Tensor, lead: Tensor | None) -> Tensor:
    """The sound with what is known of it put in place."""
    if lead is None:
        return audio
    return torch.cat([lead, audio[..., lead.shape[-1] :]], -1)


def _peaks(magnitude: Tensor) -> tuple[Tensor, Tensor]:
    """Per bin, the nearest spectral peak and the frequency there, both (batch, bins, frames).

    A parabola through the log-magnitude places a peak between bins; frequencies are in bins.
    """
    left, middle, right = magnitude.log().unfold(1, 3, 1).unbind(-1)
    last = magnitude.shape[1] - 1
    inner = torch.arange(1, last, device=magnitude.device)[:, None].expand_as(middle)
    peak = (middle > left) & (middle >= right)
    below = torch.where(peak, inner, -last).cummax(1).values
    above = torch.where(peak, inner, 2 * last).flip(1).cummin(1).values.flip(1)
    nearest = torch.where(inner - below <= above - inner, below, above).clamp(1, last - 1)
    curve = (2 * middle - left - right).clamp_min(TINY)
    offset = ((right - left) / (2 * curve)).clamp(-0.5, 0.5)
    frequency = (inner + offset).gather(1, nearest - 1)
    return _with_ends(nearest), _with_ends(frequency)


def _with_ends(inner: Tensor) -> Tensor:
    """Give the first and the last bin the value of their only neighbour."""
    return torch.cat([inner[:, :1], inner, inner[:, -1:]], dim=1)


def _random_phase(magnitude: Tensor, seed: int) -> Tensor:
    """Unit complex numbers of the magnitude's shape, the same ones on every device."""
    generator = torch.Generator().manual_seed(seed)
    turns = torch.rand(magnitude.shape, generator=generator).to(magnitude.device)
    return torch.polar(torch.ones_like(turns), 2 * torch.pi * turns)


def _length(spec: Tensor) -> Tensor:
    """Absolute values of complex numbers, in half of the time of `abs`."""
    squares = torch.view_as_real(spec).square()
    return squares[..., 0].add(squares[..., 1]).sqrt_()


def _search(
    spec: Tensor,
    config: MelConfig,
    iterations: int,
    momentum: float,
    lead: Tensor | None,
    target: Callable[[int, slice, Tensor], Tensor],
) -> Tensor:
    """The iterations, from a complex `spec` (batch, frames, bins), to the sound (batch, samples).

    target: magnitude of a block of frames, from the iteration, the block, and the spectra that the
    sound so far has there. Everything runs along the innermost axis and block by block: what lies
    between two steps then stays in the processor's cache.
    """
    hann = torch.tensor(window(config), device=spec.device)
    frames, hop, padding = spec.shape[1], config.hop_length, config.padding
    inside = slice(padding, padding + frames * hop)
    weight = overlap_add((hann**2).expand(1, frames, -1), hop)[:, inside].clamp_min(SMALLEST)
    blocks = _blocks(frames)
    spectra = [spec[:, block] for block in blocks]
    previous: list[Tensor | None] = [None] * len(blocks)
    inertia = momentum / (1 + momentum)  # the phase of the paper's c + a (c - c_previous)

    def sound() -> Tensor:
        pieces = [torch.fft.irfft(part, config.n_fft).mul_(hann) for part in spectra]
        return overlap_add(torch.cat(pieces, dim=1), hop)[:, inside].div_(weight)

    for iteration in range(iterations):
        audio = functional.pad(_led(sound(), lead), (padding, padding), mode="reflect")
        windows = audio.unfold(-1, config.n_fft, hop)
        for i, block in enumerate(blocks):
            found = torch.fft.rfft(windows[:, block] * hann)
            before = previous[i]
            step = found if before is None else torch.sub(found, before, alpha=inertia)
            gain = target(iteration, block, found) / _length(step).clamp_min_(SMALLEST)
            spectra[i] = step * gain
            previous[i] = found
    return sound()


def _blocks(frames: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, frames, BLOCK)]


class _MelMatch:
    """One round of `match_mel`, frames first. log_mel: (batch, frames, n_mels).

    covered: which bins lie in a mel filter, (bins,).
    """

    def __init__(self, log_mel: Tensor, config: MelConfig) -> None:
        device = log_mel.device
        covered, there, back = _bands(config)
        self.covered = torch.tensor(covered, device=device)
        self.there = _Banded(there, device)
        self.back = _Banded(back, device)
        self.uncovered = torch.where(self.covered, 0.0, 1.0)  # their gain
        self.wanted = log_mel.exp().contiguous()

    def __call__(self, magnitude: Tensor, block: slice) -> Tensor:
        """(batch, frames of the block, bins) -> the same, nearer to the mel."""
        ratio = self.wanted[:, block] / self.there(magnitude).clamp_min_(LOG_FLOOR)
        gain = self.back(ratio).add_(self.uncovered)
        return (magnitude * gain).clamp_min_(LOG_FLOOR)


class _Banded:
    """Product with a matrix (inputs, outputs), given by its bands, which costs a fifth of it."""

    def __init__(self, bands: Bands, device: torch.device) -> None:
        self.bands = [(rows, torch.tensor(columns, device=device)) for rows, columns in bands]

    def __call__(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return torch.cat([x[..., rows] @ columns for rows, columns in self.bands], -1)


@lru_cache(maxsize=8)
def _bands(config: MelConfig) -> tuple[NDArray[np.bool_], Bands, Bands]:
    """Which bins lie in a mel filter, and what is not zero of the ways to the mel and back.

    Either matrix has one short run of non-zeros in each column, since filters lie side by side.
    """
    filters = mel_filterbank(config)
    cover = filters.sum(0)
    covered = cover > 0
    cover[~covered] = 1
    return covered, _split(filters.T), _split(filters / cover)


def _split(matrix: NDArray[np.float32]) -> Bands:
    """Neighbouring columns together, each time with the only rows that they need."""
    bands = []
    for start in range(0, matrix.shape[1], BAND):
        columns = matrix[:, start : start + BAND]
        needed = np.flatnonzero(columns.any(1))
        rows = slice(int(needed[0]), int(needed[-1]) + 1) if len(needed) else slice(0, 1)
        bands.append((rows, np.ascontiguousarray(columns[rows])))
    return bands
