"""Learn to carry a track from one label's style into the other's, without paired examples.

Reads data/features; writes models/cyclegan, its curves, and for each direction how much of the
target's style test tracks gain and how much of their content they keep. With fewer than two
usable labels there is nothing to learn: the model then has no directions, and the pipeline goes on.
"""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.models.cyclegan.training import CycleGANTask
    from melodygan.training.stage import train_stage

    train_stage(stage, CycleGANTask)


if __name__ == "__main__":
    run(main)
