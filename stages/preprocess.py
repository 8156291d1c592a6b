"""Make every stem ready for training: mono, one sample rate, trimmed, one loudness, 16 bit.

Noise before and after the music goes, long silences are shortened, and each track is assigned
to train, validation or test. Tracks that cannot be used (undecodable, too short, silent,
clipped) are left out; metrics/preprocess.json lists them with the reason.
"""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from pathlib import Path

    from melodygan.audio.mel import MelConfig
    from melodygan.dataset.preprocess import PreprocessParams, preprocess
    from melodygan.pipeline.params import load

    params, audio = load(PreprocessParams, "preprocess"), load(MelConfig, "audio")
    stems, clean = Path("data/stems"), Path("data/clean")
    preprocess(stage, params, audio.sample_rate, stems, clean, Path("metrics/preprocess.json"))


if __name__ == "__main__":
    run(main)
