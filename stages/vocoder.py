"""Learn to turn log-mel back into sound.

Reads data/clean and data/features; writes models/vocoder, its training curves, and how close
rebuilt test tracks come to the true ones, beside the same synthesis without a network.
"""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.models.vocoder.training import VocoderTask
    from melodygan.training.stage import train_stage

    train_stage(stage, VocoderTask)


if __name__ == "__main__":
    run(main)
