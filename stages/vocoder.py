"""Learn to turn log-mel back into sound.

Reads data/clean and data/features; writes models/vocoder, its training curves, and how close
rebuilt test tracks come to the true ones, beside plain Griffin-Lim from the same mel.
"""

from pathlib import Path

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.audio.mel import MelConfig
    from melodygan.dataset.feature_set import FeatureSet
    from melodygan.models.vocoder.config import VocoderParams
    from melodygan.models.vocoder.training import VocoderTask, held_out_scores
    from melodygan.models.vocoder.vocoder import Vocoder
    from melodygan.pipeline.files import write_json
    from melodygan.pipeline.params import load, load_seed
    from melodygan.training.loop import train
    from melodygan.training.verdict import verdict

    params, seed = load(VocoderParams, "vocoder"), load_seed()
    features = FeatureSet(Path("data/features"), load(MelConfig, "audio"))
    clean = Path("data/clean")
    Path("metrics/vocoder").mkdir(parents=True, exist_ok=True)  # declared; empty if nothing trains
    if params.kind == "griffinlim":
        vocoder = Vocoder(params, features.audio, None)
    else:
        task = train(stage, params, seed, lambda: VocoderTask(params, features, clean))
        vocoder = task.trained()
    vocoder.save(Path("models/vocoder"))
    scores = held_out_scores(vocoder, clean, features.stem)
    write_json(Path("metrics/vocoder.json"), scores)
    if params.kind != "griffinlim":
        value, baseline = scores["log_mel_l1"].values()
        print(verdict(stage.name, task.outcome, "log_mel_l1", value, baseline, ideal=0.0))


if __name__ == "__main__":
    run(main)
