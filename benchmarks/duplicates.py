"""How well the same recording is recognised in another encoding, and other recordings told apart.

    OMP_NUM_THREADS=1 python benchmarks/duplicates.py FOLDER [held-out]

Recordings are the first 30 s of every audio file below FOLDER and the first 24 tracks of the demo
band. The thresholds were set on these; `held-out` takes the 30 s after the first 90 instead, and
the next 24 tracks. Recall: variants found when compared with their recording alone. Precision: of
all pairs put together when all recordings and variants are compared, how many are of one
recording. What is too short to be compared (3.2 s) is left out.
"""

import io
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from melodygan.audio.decode import Audio, decode, probe, resample, to_mono
from melodygan.audio.fingerprint import fingerprint
from melodygan.dataset.duplicates import duplicate_groups
from melodygan.sources.demo import LABELS, render_track

RATE = 22050
EXCERPT, SHORTEST = 30.0, 4.0  # s
FORMATS = {".wav", ".flac", ".ogg", ".mp3", ".m4a", ".opus", ".aiff"}


def recordings(folder: Path, held_out: bool) -> Iterator[tuple[str, Audio]]:
    """(name, (samples, channels) at 44.1 kHz) of every file's excerpt and every demo track."""
    start = 90.0 if held_out else 0.0
    for path in sorted(path for path in folder.rglob("*") if path.suffix in FORMATS):
        if probe(path) >= start + SHORTEST:
            yield str(path.relative_to(folder)), decode(path, 44100, start, start + EXCERPT)[0]
    for label, ordinal in product(LABELS, range(12, 24) if held_out else range(12)):
        track = render_track(label, ordinal, 20.0)
        yield track.name, track.vocals + track.accompaniment


def encoded(audio: Audio, codec: str, container: str, kbits: int) -> Audio:
    """What is left of (samples, channels) at 44.1 kHz after a lossy codec."""
    layout = "stereo" if audio.shape[1] == 2 else "mono"
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=44100, layout=layout)
        stream.bit_rate = kbits * 1000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio.T), "fltp", layout)
        frame.sample_rate, frame.pts = 44100, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    file.seek(0)
    with av.open(file) as source:
        to_float = av.AudioResampler(format="fltp")
        frames = source.decode(audio=0)
        parts = [part.to_ndarray() for frame in frames for part in to_float.resample(frame)]
    return np.concatenate(parts, axis=1).T.astype(np.float32)


def vorbis(audio: Audio, level: float) -> Audio:
    """The same for Ogg Vorbis; level: compression from 0 to 1 (0.95 is some 65 kbit/s)."""
    file = io.BytesIO()
    format_ = {"format": "OGG", "subtype": "VORBIS", "compression_level": level}
    with soundfile.SoundFile(file, "w", 44100, audio.shape[1], **format_) as out:
        for start in range(0, len(audio), 1 << 16):  # libsndfile overflows its stack on more
            out.write(audio[start : start + (1 << 16)])
    file.seek(0)
    return soundfile.read(file, dtype="float32", always_2d=True)[0]


def hiss(audio: Audio, snr_db: float, rng: np.random.Generator) -> Audio:
    """White noise added at a signal-to-noise ratio."""
    level = np.sqrt(np.mean(audio**2) / 10 ** (snr_db / 10))
    return audio + rng.normal(0, level, audio.shape).astype(np.float32)


def equalised(audio: Audio) -> Audio:
    """Some 4 dB more below 400 Hz and 4 dB less above 2 kHz."""
    low = sosfilt(butter(1, 400, fs=44100, output="sos"), audio, axis=0)
    high = sosfilt(butter(1, 2000, "high", fs=44100, output="sos"), audio, axis=0)
    return (audio + 0.6 * low - 0.4 * high).astype(np.float32)


def faded(audio: Audio) -> Audio:
    """Three seconds faded in and out."""
    time_left = np.minimum(np.arange(len(audio)), np.arange(len(audio))[::-1]) / (3 * 44100)
    return audio * np.minimum(time_left, 1).astype(np.float32)[:, None]


def variants(audio: Audio, rng: np.random.Generator) -> Iterator[tuple[str, Audio, int]]:
    """(name, audio, rate in Hz) of every other form of one recording at 44.1 kHz."""
    second = 44100
    cut = rng.integers(second // 10, len(audio) // 5)
    lead = np.zeros((rng.integers(second, 3 * second), audio.shape[1]), np.float32)
    yield "-20 dB", audio * np.float32(0.1), second
    for kbits in (64, 128):
        yield f"mp3 {kbits} kbit/s", encoded(audio, "libmp3lame", "mp3", kbits), second
        yield f"aac {kbits} kbit/s", encoded(audio, "aac", "adts", kbits), second
    yield "ogg 65 kbit/s", vorbis(audio, 0.95), second
    for rate in (48000, 32000, 22050):
        yield f"{rate} Hz", resample(audio, second, rate), rate
    yield "equalised", equalised(audio), second
    yield "mono", to_mono(audio)[:, None], second
    yield "left channel", audio[:, :1], second
    yield "leading silence", np.concatenate([lead, audio]), second
    yield "head cut", audio[cut:], second
    yield "tail cut", audio[:-cut], second
    yield "faded", faded(audio), second
    yield "hiss at 20 dB", hiss(audio, 20, rng), second
    worst = hiss(equalised(audio[cut:]) * np.float32(0.3), 25, rng)
    yield "cut, EQ, hiss, mp3 64", encoded(worst, "libmp3lame", "mp3", 64), second


def main() -> None:
    """Print recall of each variant, precision of all, and the CPU time."""
    rng = np.random.default_rng(0)
    found, tried = Counter[str](), Counter[str]()
    prints: list[NDArray[np.uint32]] = []
    owners: list[str] = []
    seconds = spent = 0.0
    for name, audio in recordings(Path(sys.argv[1]), held_out="held-out" in sys.argv):
        first = len(prints)
        for variant, other, rate in [("", audio, 44100), *variants(audio, rng)]:
            mono = resample(to_mono(np.ascontiguousarray(other)), rate, RATE)
            began = time.process_time()
            prints.append(fingerprint(mono, RATE))
            spent += time.process_time() - began
            seconds += len(mono) / RATE
            owners.append(name)
            if variant:
                tried[variant] += 1
                if duplicate_groups([prints[first], prints[-1]]):
                    found[variant] += 1
                else:
                    print(f"missed: {name}, {variant}")
    for variant, count in tried.items():
        print(f"{variant:22} recall {found[variant] / count:7.2%} ({found[variant]} of {count})")
    began = time.process_time()
    groups = duplicate_groups(prints)
    matching = time.process_time() - began
    pairs = [(owners[i], owners[j]) for group in groups for i, j in combinations(group, 2)]
    wrong = Counter(pair for pair in pairs if pair[0] != pair[1])
    all_pairs = len(prints) * (len(prints) - 1) // 2
    print(
        f"all together           recall {found.total() / tried.total():.2%}, precision "
        f"{1 - wrong.total() / len(pairs):.2%} ({wrong.total()} of {len(pairs)} pairs found in "
        f"{all_pairs} are wrong)"
    )
    for (one, other), count in wrong.most_common(10):
        print(f"    {one} = {other} ({count} pairs)")
    print(f"fingerprinting {seconds / spent:,.0f} x real time; matching {matching:.2f} CPU-seconds")


if __name__ == "__main__":
    main()
