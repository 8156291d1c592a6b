"""Learn to carry a track from one label's style into the other's, without paired examples.

Reads data/features; writes models/cyclegan, its curves, and for each direction how much of the
target's style test tracks gain and how much of their harmony they keep. With fewer than two
usable labels there is nothing to learn: the model then has no directions, and the pipeline goes on.
"""

from pathlib import Path

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.audio.mel import MelConfig
    from melodygan.dataset.feature_set import FeatureSet
    from melodygan.models.cyclegan.config import CycleGANParams
    from melodygan.models.cyclegan.model import without_directions
    from melodygan.models.cyclegan.scores import ConversionScorer, shortfalls
    from melodygan.models.cyclegan.training import CycleGANTask, choose_labels
    from melodygan.pipeline.files import write_json
    from melodygan.pipeline.params import load, load_seed
    from melodygan.training.loop import train
    from melodygan.training.verdict import verdict

    params, audio, seed = load(CycleGANParams, "cyclegan"), load(MelConfig, "audio"), load_seed()
    features = FeatureSet(Path("data/features"), audio)
    labels = choose_labels(params, features)
    if labels is None:
        print("cyclegan: no two labels with tracks in every split, so nothing to convert between")
        model, scores = without_directions(params, audio), {}
        Path("metrics/cyclegan").mkdir(parents=True, exist_ok=True)  # DVC expects the output
    else:
        task = train(stage, params, seed, lambda: CycleGANTask(params, features, labels, seed))
        model = task.trained()
        scores = ConversionScorer(features, labels, "test", seed).scores(model)
        value, baseline = shortfalls(scores)
        print(verdict(stage.name, task.outcome, "shortfall", value, baseline, ideal=0.0))
    model.save(Path("models/cyclegan"))
    write_json(Path("metrics/cyclegan.json"), scores)


if __name__ == "__main__":
    run(main)
