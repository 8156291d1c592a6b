"""SI-SDR improvement of a separation model on real songs whose stems are known.

    python benchmarks/separation_real.py FOLDER [MODEL]

FOLDER has one folder per song with `vocals` and `accompaniment` as audio files of one length,
44.1 kHz; the mixture is their sum. MODEL is as in `separate.model` (default: demo). With
`demo-band` for FOLDER, the first twelve demo tracks of each label, 20 s each, are separated.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.decode import decode, to_stereo
from melodygan.separation.separate import SAMPLE_RATE, StemSeparator
from melodygan.separation.si_sdr import si_sdr
from melodygan.sources.demo import LABELS, render_track

Song = tuple[str, NDArray[np.float32], NDArray[np.float32]]


def recorded(folder: Path) -> Iterator[Song]:
    """(name, vocals, accompaniment) of every song; arrays of shape (samples, 2)."""
    for song in sorted(path for path in folder.iterdir() if path.is_dir()):
        vocals, accompaniment = (
            to_stereo(decode(next(song.glob(f"{stem}.*")), SAMPLE_RATE)[0])
            for stem in ("vocals", "accompaniment")
        )
        yield song.name, vocals, accompaniment


def demo_band() -> Iterator[Song]:
    """The same of the built-in demo."""
    for label in LABELS:
        for ordinal in range(12):
            track = render_track(label, ordinal, 20.0, 0)
            yield track.name, track.vocals, track.accompaniment


def main() -> None:
    """Print one line a song (dB: before and after, of vocals and accompaniment) and the means."""
    songs = demo_band() if sys.argv[1] == "demo-band" else recorded(Path(sys.argv[1]))
    separator = StemSeparator(sys.argv[2] if len(sys.argv) > 2 else "demo")
    gains, seconds, spent = [], 0.0, 0.0
    for name, vocals, accompaniment in songs:
        mix = vocals + accompaniment
        began = time.process_time()
        stems = separator.separate(mix)
        spent += time.process_time() - began
        seconds += len(mix) / SAMPLE_RATE
        pairs = ((stems["vocals"], vocals), (stems["instrumental"], accompaniment))
        before = [si_sdr(mix, truth) for _, truth in pairs]
        after = [si_sdr(stem, truth) for stem, truth in pairs]
        gains.append(np.subtract(after, before))
        changes = (f"{b:6.2f} -> {a:6.2f}" for b, a in zip(before, after, strict=True))
        print(f"{name:20} {'   '.join(changes)}   gain {gains[-1].mean():6.2f}", flush=True)
    both, (singing, playing) = np.mean(gains, axis=1), np.mean(gains, axis=0)
    print(
        f"SI-SDR improvement {both.mean():.2f} dB (least {both.min():.2f}; vocals {singing:.2f}, "
        f"accompaniment {playing:.2f}); {spent / seconds:.3f} CPU-seconds per second"
    )


if __name__ == "__main__":
    main()
