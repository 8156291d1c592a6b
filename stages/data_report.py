"""Show what the models will be trained on: one page for the eye, metrics/data.html.

How many tracks of which label and length there are, what cleaning did to them, which were left
out and why, what they look like, and what of all this may spoil the training. The page opens in
any browser without a network.
"""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from pathlib import Path

    from melodygan.audio.mel import MelConfig
    from melodygan.data_report.page import write_page
    from melodygan.dataset.feature_set import FeatureSet
    from melodygan.dataset.preprocess import PreprocessParams
    from melodygan.pipeline.params import load

    stage.inputs()  # none came damaged out of the cache
    features = FeatureSet(Path("data/features"), load(MelConfig, "audio"))
    params = load(PreprocessParams, "preprocess")
    write_page(Path("metrics/data.html"), Path("data/clean"), features, params)


if __name__ == "__main__":
    run(main)
