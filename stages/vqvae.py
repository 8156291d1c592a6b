"""Learn a vocabulary of sounds: a VQ-VAE turns patches of log-mel into discrete codes and back.

Reads data/features; writes models/vqvae, its training curves, and how well it rebuilds test
tracks that it never saw, beside the answer of someone who only knows the average spectrum.
"""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.models.vqvae.training import VQVAETask
    from melodygan.training.stage import train_stage

    train_stage(stage, VQVAETask)


if __name__ == "__main__":
    run(main)
