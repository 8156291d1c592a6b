"""Invent new codes for the VQ-VAE's decoder, by label and as long as you like.

Reads data/features and models/vqvae; writes models/latent_prior, its curves, and the distances of
its samples to test tracks, each between a floor (real music) and a ceiling (noise).
"""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.models.latent_prior.training import LatentPriorTask
    from melodygan.training.stage import train_stage

    train_stage(stage, LatentPriorTask)


if __name__ == "__main__":
    run(main)
