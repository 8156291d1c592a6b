"""Judge and show what the pipeline made: scores of the generated audio, and a page to listen on.

Reads data/generated, the true sound and features of the test tracks, what the training stages said,
and the models that invent by way of another model's decoder. Writes the headline numbers to
metrics/evaluate.json, all of them to metrics/evaluate, and metrics/report.html, which opens in any
browser without a network.
"""

from pathlib import Path

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.audio.mel import MelConfig
    from melodygan.dataset.clean_audio import CleanAudio
    from melodygan.dataset.feature_set import FeatureSet
    from melodygan.evaluation.generated import Judge, headlines
    from melodygan.evaluation.index import read_index
    from melodygan.evaluation.page import write_report
    from melodygan.generation.makers import Decoded, Makers
    from melodygan.pipeline.files import write_json
    from melodygan.pipeline.params import load, load_seed
    from melodygan.pipeline.runtime import Runtime
    from melodygan.scores.jury.jury import MISSING, Jury
    from melodygan.training.device import start_device

    stage.inputs()  # none came damaged out of the cache
    features = FeatureSet(Path("data/features"), load(MelConfig, "audio"))
    clean = CleanAudio(Path("data/clean"), "test", features.stem)
    jury = Jury.find()
    missing = "" if jury else MISSING
    if missing:
        print(f"{stage.name}: {missing}")
    makers = Makers(features.audio, start_device(Runtime.read()), stage.name)
    decoders = {model: maker.decoded for model, maker in makers.able(Decoded).items()}
    judge = Judge(features, clean, load_seed(), jury, decoders)
    groups = read_index(Path("data/generated"), features.audio)
    scores = judge.scores(groups)
    write_json(Path("metrics/evaluate/scores.json"), scores)
    write_json(Path("metrics/evaluate.json"), {"generated": headlines(scores)})
    write_report(Path("metrics/report.html"), groups, scores, judge, missing)


if __name__ == "__main__":
    run(main)
