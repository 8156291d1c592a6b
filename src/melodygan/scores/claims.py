"""What the verdicts on invented sound rest on."""

from typing import Any

from melodygan.scores.directions import MEANINGS, judgeable
from melodygan.scores.sets import Scores
from melodygan.training.verdict import Claim


def set_claim(scores: Scores) -> Claim:
    """Time distance of samples, or whether their labels are heard: what is further from real music.

    Time distance, from real sound without order in time to real sound: `shuffled` is what anyone
    can make without a model, and what all other distances take for music. Where labels were asked
    for, also their accuracy, from chance to that of real clips: music of the wrong label fails.
    Nothing is claimed where one of the anchors, noise included, is no worse than real sound.
    scores: of `RealSets.scores`, with `label_accuracy` if there is more than one label.
    """
    time = scores["time_distance"]
    between = time["beside_shuffled"]
    claims = [_claim("time_distance", time, "shuffled", "real columns in random order", between)]
    if labels := scores.get("label_accuracy"):
        claims.append(_claim("label_accuracy", labels, "chance", "chance", labels["interval"]))
    told = [claim for claim in claims if claim.reached is not None and claim.interval is not None]
    return min(told, key=lambda claim: claim.reached or 0.0) if told else claims[0]


def _claim(name: str, score: dict[str, Any], worst: str, against: str, interval: Any) -> Claim:
    return Claim(
        name,
        score["value"],
        score[worst],
        against,
        score["floor"],
        MEANINGS[name].higher,
        interval=interval,
        judgeable=judgeable(name, score),
    )


def timbre_claim(scores: Scores) -> Claim:
    """Kernel distance of samples, from noise with music's spectrum to real sound.

    Time distance alone does not hear timbre and level, in which samples can be worse than noise.
    """
    of = scores["kernel_distance"]
    against = "noise with the spectrum of music"
    return _claim("kernel_distance", of, "noise", against, of["interval"])
