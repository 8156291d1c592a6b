"""Invent new latents for the VQ-VAE's decoder with a GAN.

Reads data/features and models/vqvae; writes models/latent_gan, its curves, and the distances of
its samples to test tracks, each between a floor (real music) and a ceiling (noise).
"""

from pathlib import Path

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.audio.mel import MelConfig
    from melodygan.dataset.feature_set import FeatureSet
    from melodygan.models.latent_gan.config import LatentGANParams
    from melodygan.models.latent_gan.training import LatentGANTask, generated_scores, real_sets
    from melodygan.models.vqvae.model import TrainedVQVAE
    from melodygan.pipeline.files import write_json
    from melodygan.pipeline.params import load, load_seed
    from melodygan.training.loop import train
    from melodygan.training.verdict import verdict

    params, audio, seed = load(LatentGANParams, "latent_gan"), load(MelConfig, "audio"), load_seed()
    features = FeatureSet(Path("data/features"), audio)
    vqvae = TrainedVQVAE.load(Path("models/vqvae"), audio)
    task = train(stage, params, seed, lambda: LatentGANTask(params, features, vqvae, seed))
    model = task.trained()
    model.save(Path("models/latent_gan"), audio)
    real = real_sets(features, vqvae, "test", seed)
    scores = generated_scores(model, vqvae, real, seed)
    write_json(Path("metrics/latent_gan.json"), scores)
    name = "kernel_distance"
    value, noise, floor = (scores[name][anchor] for anchor in ("value", "noise", "floor"))
    print(verdict(stage.name, task.outcome, name, value, noise, floor))


if __name__ == "__main__":
    run(main)
