"""Invent new latents for the VQ-VAE's decoder with a GAN.

Reads data/features and models/vqvae; writes models/latent_gan, its curves, and the distances of
its samples to test tracks, each between a floor (real music) and a ceiling (noise).
"""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.models.latent_gan.training import LatentGANTask
    from melodygan.training.stage import train_stage

    train_stage(stage, LatentGANTask)


if __name__ == "__main__":
    run(main)
