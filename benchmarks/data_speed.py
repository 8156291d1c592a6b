"""Speed of what happens to a separated track: from FLAC to features.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/data_speed.py [FILE ...]

Without files: ten minutes of stereo at 44.1 kHz, 16 bit, made up and always the same; settings
from params.yaml. CPU seconds of one thread, the best of three runs, because other work on the
machine only ever slows one down.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from workspace import write_music

from melodygan.audio.decode import Extent, open_audio
from melodygan.audio.fingerprint import Fingerprinter
from melodygan.audio.loudness import LoudnessMeter, TruePeakMeter
from melodygan.audio.mel import MelConfig
from melodygan.audio.silence import kept_blocks, silence_cuts
from melodygan.dataset.clean import CleanSettings, clean_track, write_samples
from melodygan.dataset.features import FeaturesParams, track_features
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.dataset.scratch import Scratch
from melodygan.pipeline.params import load

BLOCK = 1 << 16  # samples
Work = Callable[[], object]


def cpu_seconds(work: Work) -> float:
    """Least CPU time of three runs of `work`."""
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def parts_of(path: Path, folder: Path, settings: CleanSettings) -> dict[str, Work]:
    """The steps of `clean_track`, each by itself."""
    rate, source = settings.sample_rate, open_audio(path)
    stereo = list(source.blocks)

    def scratch() -> Scratch:
        track = Scratch(folder, source.rate, rate)
        for block in stereo:
            track.add(block)
        track.finish()
        return track

    track = scratch()

    def cut() -> list[np.ndarray]:
        levels, samples = track.meter.levels(), track.samples
        cuts = silence_cuts(levels, samples, rate, settings.silence_db, settings.silence_gap)
        return list(kept_blocks(track.read, 0, samples, cuts, rate, BLOCK))

    mono = cut()

    def feed(meter: LoudnessMeter | TruePeakMeter | Fingerprinter) -> None:
        for block in mono:
            meter.add(block)

    return {
        "FLAC decoding (the floor)": lambda: [len(block) for block in open_audio(path).blocks],
        "mono, resampling, levels": scratch,
        "cuts": cut,
        "loudness": lambda: feed(LoudnessMeter(rate)),
        "true peak": lambda: feed(TruePeakMeter(rate)),
        "fingerprint": lambda: feed(Fingerprinter(rate)),
        "writing": lambda: write_samples(folder / "part.npy", iter(mono), sum(map(len, mono)), 0.5),
    }


def measure(path: Path, folder: Path, settings: CleanSettings) -> None:
    """Print CPU seconds and x real time of the whole way from the FLAC to the features."""
    config, params = load(MelConfig, "audio"), load(FeaturesParams, "features")
    seconds = soundfile.info(str(path)).duration
    files, stems = {"mix": Extent(path)}, {"mix": "mix"}
    rows = {name: cpu_seconds(work) for name, work in parts_of(path, folder, settings).items()}
    cleaning = cpu_seconds(lambda: clean_track(folder, files, stems, 0.0, settings))
    clean = folder / "mix.npy"
    samples = len(np.load(clean, mmap_mode="r"))
    features = cpu_seconds(lambda: track_features(folder, clean, 0, samples, config, params))
    rows |= {"cleaning, all of it": cleaning, "features": features, "total": cleaning + features}
    print(f"{path.name}: {seconds:.0f} s")
    for name, spent in rows.items():
        print(f"  {name:26s} {spent:8.3f} s {seconds / spent:8,.0f} x real time", flush=True)


def main() -> None:
    """Measure the files, or made-up music."""
    settings = load(PreprocessParams, "preprocess").settings(load(MelConfig, "audio").sample_rate)
    with tempfile.TemporaryDirectory() as name:
        folder, made = Path(name), Path(name) / "made-up.flac"
        files = [Path(name) for name in sys.argv[1:]]
        if not files:
            write_music(made, 600)
        for path in files or [made]:
            measure(path, folder, settings)


if __name__ == "__main__":
    main()
