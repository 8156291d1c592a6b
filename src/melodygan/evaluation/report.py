"""metrics/evaluate.json: every score of the run in one place, and a picture of it."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from melodygan.dataset.feature_set import FeatureSet
from melodygan.evaluation.generated import Generated


def evaluate(features: FeatureSet, generated: Path, seed: int) -> dict[str, Any]:
    """Scores of the generated audio by model and kind, all on test tracks."""
    return {"generated": Generated(generated, features, seed).scores()}


def draw_scores(path: Path, scores: dict[str, Any]) -> None:
    """Where the samples lie between their anchors: 0 is the floor (real music), 1 is noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sampled = [kinds["sample"] for kinds in scores["generated"].values() if "sample" in kinds]
    if not sampled:
        return
    names = ["kernel_distance", "frechet_distance", "time_distance", "order_auc", "memorisation"]
    figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
    for row, name in enumerate(names):
        anchors = sampled[0][name]
        span = (anchors["noise"] - anchors["floor"]) or 1.0
        place = (anchors["value"] - anchors["floor"]) / span
        axis.plot([0, 1], [row, row], color="0.7", zorder=0)
        axis.scatter([0, 1], [row, row], color=["tab:green", "tab:red"], s=25)
        axis.scatter([place], [row], color="black", marker="D", s=35)
        axis.annotate(f"{anchors['value']:.3g}", (place, row + 0.18), ha="center", fontsize=8)
    axis.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axis.set_ylim(-0.5, len(names) - 0.2)
    axis.set_xlabel("0 = real music, 1 = noise; the diamond is what was generated")
    figure.savefig(path, dpi=100, metadata={"Software": None})
    plt.close(figure)
