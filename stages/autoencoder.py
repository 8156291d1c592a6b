"""Put what a few seconds sound like into few numbers: an autoencoder of pooled vectors.

Reads data/features; writes models/autoencoder, its curves, and its error on test tracks beside that
of principal components.
"""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.models.autoencoder.training import AutoencoderTask
    from melodygan.training.stage import train_stage

    train_stage(stage, AutoencoderTask)


if __name__ == "__main__":
    run(main)
