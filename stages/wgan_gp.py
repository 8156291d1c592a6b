"""Invent clips by label: trains a conditional WGAN-GP and scores its clips on test tracks."""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.models.wgan_gp.training import WGANGPTask
    from melodygan.training.stage import train_stage

    train_stage(stage, WGANGPTask)


if __name__ == "__main__":
    run(main)
