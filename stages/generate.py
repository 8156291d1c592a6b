"""Let the trained models make sound: invented clips, converted and rebuilt test tracks.

Reads models/* and data/features; writes WAV files and their index to data/generated, and sheets of
spectrograms to metrics/generate.
"""

from pathlib import Path

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.audio.mel import MelConfig
    from melodygan.dataset.feature_set import FeatureSet
    from melodygan.generation.clips import Models, make_clips, write_clips
    from melodygan.generation.config import GenerateParams
    from melodygan.generation.pictures import draw_sheets
    from melodygan.pipeline.files import atomic_dir
    from melodygan.pipeline.params import load, load_seed
    from melodygan.pipeline.runtime import Runtime
    from melodygan.training.loop import start_device

    start_device(Runtime.read())
    params, audio = load(GenerateParams, "generate"), load(MelConfig, "audio")
    models = Models(Path("models"), audio)
    features = FeatureSet(Path("data/features"), audio)
    clips = list(make_clips(models, features, params, load_seed()))
    with atomic_dir(Path("data/generated")) as folder:
        write_clips(folder, clips, models.vocoder, audio)
    draw_sheets(Path("metrics/generate"), clips, audio)


if __name__ == "__main__":
    run(main)
