"""Judge what the pipeline made: one table in which every score stands beside its anchors.

Reads data/generated and data/features; writes metrics/evaluate.json and a picture of where the
generated audio lies between real music and noise.
"""

from pathlib import Path

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.audio.mel import MelConfig
    from melodygan.dataset.feature_set import FeatureSet
    from melodygan.evaluation.report import draw_scores, evaluate
    from melodygan.pipeline.files import write_json
    from melodygan.pipeline.params import load, load_seed

    features = FeatureSet(Path("data/features"), load(MelConfig, "audio"))
    scores = evaluate(features, Path("data/generated"), load_seed())
    draw_scores(Path("metrics/evaluate/samples.png"), scores)
    write_json(Path("metrics/evaluate.json"), scores)


if __name__ == "__main__":
    run(main)
