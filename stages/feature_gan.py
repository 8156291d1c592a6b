"""Invent timbres by label with a GAN: pooled vectors, as latents of the autoencoder.

Reads data/features and models/autoencoder; writes models/feature_gan, its curves, and the distances
of its vectors to those of test tracks, beside a Gaussian for each label.
"""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.models.feature_gan.training import FeatureGANTask
    from melodygan.training.stage import train_stage

    train_stage(stage, FeatureGANTask)


if __name__ == "__main__":
    run(main)
