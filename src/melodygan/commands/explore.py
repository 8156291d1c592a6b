"""`melodygan explore`: from one of a label's clips to another, or beyond them."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from melodygan.audio.mel import MelConfig
from melodygan.audio.wav import write_wav
from melodygan.dataset.feature_set import FeatureSet
from melodygan.generation.explore import Space, coder
from melodygan.generation.makers import Makers
from melodygan.pipeline.params import load


@lru_cache(maxsize=4)
def space(makers: Makers, label: str) -> Space:
    """The space of a label's clips. Raises UserError as `Space` does."""
    model = coder(makers.models)
    return Space(model, FeatureSet(Path("data/features"), model.audio), label)


def explore(
    label: str,
    clip: int,
    other: int | None,
    blend: float,
    moves: Sequence[float],
    out: Path | None,
) -> list[str]:
    """Write the walk to the WAV file `out`; without it, lines that say which ways there are.

    See `Space.clip`. Raises UserError for a label, clip or direction that is not there.
    """
    audio = load(MelConfig, "audio")
    makers = Makers.here()
    found = space(makers, label)
    if out is None:
        lines = [
            f"direction {number}: {way.share:.0%} of how they differ; {way.words}"
            for number, way in enumerate(found.directions(), 1)
        ]
        return [*lines, f"clips of {label}: 0 to {len(found.names) - 1}"]
    mel = found.clip(clip, other, blend, moves)
    write_wav(out, [makers.synthesiser().synthesise(mel)], audio.sample_rate)
    return [f"{out}: {said(found, clip, other, blend, moves)}"]


def said(found: Space, clip: int, other: int | None, blend: float, moves: Sequence[float]) -> str:
    """What a walk is, in words."""
    parts = [f"clip {clip} of {found.label} ({found.names[clip]})"]
    if other is not None:
        parts.append(f"{blend:.0%} of the way to clip {other} ({found.names[other]})")
    parts += [f"direction {n} by {move:+g}" for n, move in enumerate(moves, 1) if move]
    return ", ".join(parts)
