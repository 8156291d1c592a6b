"""Split every raw track into vocals and instrumental.

audio-separator runs the model that `separate.model` names: a UVR model, or the small one that is
shipped with this project and was trained on other songs of the demo band. With
`separate.enabled: false` the mixes pass through. Where the true stems are known, as they are for
the demo, metrics/separate.json tells how much separation gained. metrics/separate has some seconds
of one track's stems, for the page of results.
"""

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from pathlib import Path

    from melodygan.pipeline.files import write_json
    from melodygan.pipeline.params import load
    from melodygan.separation.sample import write_sample
    from melodygan.separation.stage_work import SeparateParams, score, separate_tracks

    raw, stems = Path("data/raw"), Path("data/stems")
    separate_tracks(stage, load(SeparateParams, "separate"), raw, stems)
    write_json(Path("metrics/separate.json"), score(raw, stems))
    write_sample(raw, stems, Path("metrics/separate"))


if __name__ == "__main__":
    run(main)
