"""Turn clean tracks into what the models see: log-mel, MFCC, and pooled vectors of both.

Tracks lie one after another in a few memory-mapped files; index.jsonl says where each begins,
meta.json which mel configuration made them and the log-mel's mean and deviation in training.
"""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from pathlib import Path

    from melodygan.audio.mel import MelConfig
    from melodygan.dataset.features import FeaturesParams, make_features
    from melodygan.pipeline.params import load

    params, audio = load(FeaturesParams, "features"), load(MelConfig, "audio")
    make_features(stage, params, audio, Path("data/clean"), Path("data/features"))


if __name__ == "__main__":
    run(main)
