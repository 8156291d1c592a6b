"""Sheets of spectrograms, one per kind of clip, as PNG for `dvc plots` and for the eye."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from melodygan.audio.mel import LOG_SILENCE, MelConfig
from melodygan.generation.clips import Clip

PER_SHEET = 8


def draw_sheets(folder: Path, clips: list[Clip], audio: MelConfig) -> None:
    """Write `<folder>/<kind>s.png` with the first clips of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in sorted({clip.kind for clip in clips}):
        chosen = [clip for clip in clips if clip.kind == kind][:PER_SHEET]
        figure, axes = plt.subplots(
            len(chosen), 1, figsize=(9, 1.7 * len(chosen)), squeeze=False, layout="constrained"
        )
        for axis, clip in zip(axes[:, 0], chosen, strict=True):
            seconds = len(clip.mel) / audio.frame_rate
            axis.imshow(
                clip.mel.T,
                origin="lower",
                aspect="auto",
                cmap="magma",
                vmin=LOG_SILENCE,
                vmax=2,
                extent=(0, seconds, 0, audio.n_mels),
            )
            axis.set_title(clip.name, fontsize=8, loc="left")
            axis.set_ylabel("mel band", fontsize=7)
            axis.tick_params(labelsize=7)
        axes[-1, 0].set_xlabel("s", fontsize=7)
        figure.savefig(folder / f"{kind}s.png", dpi=90, metadata={"Software": None})
        plt.close(figure)
