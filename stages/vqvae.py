"""Learn a vocabulary of sounds: a VQ-VAE turns patches of log-mel into discrete codes and back.

Reads data/features; writes models/vqvae, its training curves, and how well it rebuilds test
tracks that it never saw, beside the answer of someone who only knows the average spectrum.
"""

from pathlib import Path

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.audio.mel import MelConfig
    from melodygan.dataset.feature_set import FeatureSet
    from melodygan.models.vqvae.config import VQVAEParams
    from melodygan.models.vqvae.training import VQVAETask, held_out_scores
    from melodygan.pipeline.files import write_json
    from melodygan.pipeline.params import load, load_seed
    from melodygan.training.loop import train
    from melodygan.training.verdict import verdict

    params, seed = load(VQVAEParams, "vqvae"), load_seed()
    features = FeatureSet(Path("data/features"), load(MelConfig, "audio"))
    task = train(stage, params, seed, lambda: VQVAETask(params, features))
    task.trained().save(Path("models/vqvae"))
    scores = held_out_scores(task.trained(), features, "test")
    write_json(Path("metrics/vqvae.json"), scores)
    value, baseline = scores["log_mel_l1"], scores["baseline_log_mel_l1"]
    print(verdict(stage.name, task.outcome, "log_mel_l1", value, baseline, ideal=0.0))


if __name__ == "__main__":
    run(main)
