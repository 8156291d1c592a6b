"""What the verdicts on invented sound rest on."""

from melodygan.scores.directions import judgeable
from melodygan.scores.sets import Scores
from melodygan.training.verdict import Claim


def set_claim(scores: Scores) -> Claim:
    """Time distance of samples, from real sound without order in time to real sound.

    `shuffled` is what anyone can make without a model, and what all other distances take for
    music. Nothing is claimed where one of the anchors, noise included, is no worse than real sound.
    scores: of `RealSets.scores`.
    """
    name = "time_distance"
    of = scores[name]
    return Claim(
        name,
        of["value"],
        of["shuffled"],
        "real columns in random order",
        of["floor"],
        interval=of["interval"],
        baseline_interval=of["shuffled_interval"],
        judgeable=judgeable(name, of),
    )


def timbre_claim(scores: Scores) -> Claim:
    """Kernel distance of samples, from noise with music's spectrum to real sound.

    Time distance alone does not hear timbre and level, in which samples can be worse than noise.
    """
    name = "kernel_distance"
    of = scores[name]
    return Claim(
        name,
        of["value"],
        of["noise"],
        "noise with the spectrum of music",
        of["floor"],
        interval=of["interval"],
        judgeable=judgeable(name, of),
    )
