"""One self-contained HTML page about the training data: no script, nothing from elsewhere."""

from collections.abc import Iterator
from pathlib import Path

from melodygan.data_report.facts import read_facts
from melodygan.data_report.sections import left_out, overview
from melodygan.dataset.feature_set import FeatureSet, Track
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.dataset.split import SPLITS
from melodygan.page.charts import colour_scale, spectrogram
from melodygan.page.document import write_document
from melodygan.page.markup import name, safe

_PICTURES = 24
_SECONDS = 20.0  # of a picture


def write_page(path: Path, clean: Path, features: FeatureSet, params: PreprocessParams) -> None:
    """Write the report on data/clean (`clean`), made with `params`, and on `features` to `path`.

    Raises UserError when no track was accepted.
    """
    facts = read_facts(clean, params)
    write_document(
        path,
        "Training data",
        f"Stem: {name(facts.stem)}. {facts.sample_rate:,} Hz, mono, 16 bit.",
        [*overview(facts), *_pictures(features), *left_out(facts)],
        "Made from <code>data/clean</code> and <code>data/features</code> by the stage "
        "<code>data_report</code>; <code>dvc repro data_report</code> brings it up to date.",
    )


def _pictures(features: FeatureSet) -> Iterator[str]:
    """One track of each split and label, the first by track id, as long as there is room."""
    labels = features.labels[:_PICTURES]
    most = max(1, _PICTURES // len(labels))
    yield "<h2>How the tracks look</h2><p>Log-mel spectrograms, "
    yield f"{_SECONDS:g} s from the middle of one track of each split and label. "
    yield f'<span class="legend">silence{colour_scale()}loud</span></p>'
    if len(features.labels) > len(labels):
        yield f'<p class="soft">The first {len(labels)} of {len(features.labels):,} labels.</p>'
    for label in labels:
        yield f'<h3>{name(label)}</h3><div class="thirds">'
        splits = [split for split in SPLITS if features.has(split, label)]
        for split in splits[:most]:
            yield _picture(features, features.tracks(split, label)[0])
        yield "</div>"


def _picture(features: FeatureSet, track: Track) -> str:
    length = round(_SECONDS * features.audio.frame_rate)
    first = max(0, len(track.mel) - length) // 2
    start = first / features.audio.frame_rate
    title = f"Log-mel spectrogram of {track.track}"
    chart = spectrogram(track.mel[first : first + length], start, features.audio, title)
    caption = f"<b>{name(track.track)}</b>, {safe(track.split)}"
    return f"<figure><figcaption>{caption}</figcaption>{chart}</figure>"
