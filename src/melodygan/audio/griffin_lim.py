"""Sound from magnitudes: fast Griffin-Lim, and the way from a log-mel to a magnitude and back.

`griffin_lim` is the textbook baseline. `mel_griffin_lim` knows that only the mel is given, not the
magnitude: it looks for phase and magnitude together, among the magnitudes that have this mel.
The idea is that of Masuyama, Ueno and Ono 2023 (https://arxiv.org/abs/2307.12232); the step used
here is one multiplicative update a round, which keeps magnitudes positive without a step size.
"""

import torch
from torch import Tensor

from melodygan.audio.mel import LOG_FLOOR, MelConfig, mel_filterbank, mel_inverse
from melodygan.audio.stft import istft, stft

MOMENTUM = 0.99
TINY = 1e-6  # smallest curvature of a peak
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
    phase = _random_phase(magnitude, seed)
    previous = torch.zeros_like(phase)
    for _ in range(iterations):
        consistent = stft(_led(istft(magnitude * phase, config), lead), config)
        phase = _accelerated(consistent, previous, momentum)
        previous = consistent
    return istft(magnitude * phase, config)


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
    covered = torch.tensor(mel_filterbank(config), device=magnitude.device).any(0)[:, None]
    target, phase = magnitude, peak_phase(magnitude, config, lead)
    previous = torch.zeros_like(phase)
    for iteration in range(iterations):
        consistent = stft(_led(istft(target * phase, config), lead), config)
        if iteration >= HELD * iterations:
            found = match_mel(consistent.abs(), log_mel, config)
            target = torch.where(covered, found, magnitude)
        phase = _accelerated(consistent, previous, MOMENTUM)
        previous = consistent
    return istft(target * phase, config)


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
    filters = torch.tensor(mel_filterbank(config), device=magnitude.device)
    cover = filters.sum(0)[:, None]
    wanted = log_mel.exp()
    for _ in range(rounds):
        ratio = wanted / (filters @ magnitude).clamp_min(LOG_FLOOR)
        gain = torch.where(cover > 0, filters.mT @ ratio / cover, 1.0)
        magnitude = (magnitude * gain).clamp_min(LOG_FLOOR)
    return magnitude


def peak_phase(magnitude: Tensor, config: MelConfig, lead: Tensor | None = None) -> Tensor:
    """Phases of steady sinusoids at the spectrum's peaks: (batch, bins, frames), unit complex.

    Single-pass inversion (Beauregard, Harish and Wyse 2015, "Single Pass Spectrogram Inversion"):
    a peak's phase goes on from where that bin was in the frame before, and the bins around a peak
    follow it. Neighbouring bins alternate in sign because a frame's phases count from its first
    sample, half a window before its centre. Frames whose sound is known (lead, as in `griffin_lim`)
    keep its phases, from which the others go on.
    """
    nearest, frequency = _peaks(magnitude)
    # in cycles and float64: over a song the sum is far too large for float32
    advance = frequency.double() * config.hop_length / config.n_fft
    bins = torch.arange(magnitude.shape[1], device=magnitude.device)
    known = _known_phase(lead, config)
    cycles = [torch.zeros_like(advance[..., 0])]
    if known is not None:
        cycles = [(step.angle().double() / (2 * torch.pi) - bins / 2) for step in known.unbind(-1)]
    done = len(cycles) if known is not None else 0
    steps = zip(advance.unbind(-1)[done:], nearest.unbind(-1)[done:], strict=True)
    for step, source in steps:
        cycles.append((cycles[-1] + step).gather(1, source))
    turns = torch.stack(cycles[-magnitude.shape[-1] :], -1) + bins[:, None] / 2
    angle = 2 * torch.pi * (turns % 1)
    return torch.polar(torch.ones_like(magnitude), angle.to(magnitude.dtype))


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


def _accelerated(consistent: Tensor, previous: Tensor, momentum: float) -> Tensor:
    """Direction of the paper's c + a (c - c_previous); sgn of a complex number is z / |z|."""
    return torch.sgn(torch.sub(consistent, previous, alpha=momentum / (1 + momentum)))
