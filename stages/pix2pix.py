"""Learn to make one stem of a mix: Pix2Pix, on the pairs that separation has made.

Reads data/features, data/clean and the true stems of demo tracks; writes models/pix2pix, its
training curves, and how near its stems of test tracks come to the true ones, beside what the mix
itself, one mask for all music, and the separation model come to.
"""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.models.pix2pix.training import Pix2PixTask
    from melodygan.training.stage import train_stage

    train_stage(stage, Pix2PixTask)


if __name__ == "__main__":
    run(main)
