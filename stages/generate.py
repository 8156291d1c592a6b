"""Let the trained models make sound: invented clips, converted and rebuilt test tracks.

Reads models/* and data/features; writes WAV files and their index to data/generated, and their
spectrograms to metrics/generate.
"""

from pathlib import Path

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.audio.mel import MelConfig
    from melodygan.dataset.feature_set import FeatureSet
    from melodygan.generation.clips import draw_clips, make_clips, write_clips
    from melodygan.generation.config import GenerateParams
    from melodygan.generation.makers import Makers
    from melodygan.pipeline.files import atomic_dir
    from melodygan.pipeline.params import load, load_seed
    from melodygan.pipeline.runtime import Runtime
    from melodygan.training.device import start_device

    stage.inputs()  # none came damaged out of the cache
    params, audio = load(GenerateParams, "generate"), load(MelConfig, "audio")
    makers = Makers(audio, start_device(Runtime.read()), stage.name)
    features = FeatureSet(Path("data/features"), audio)
    clips = list(make_clips(makers, features, params, load_seed()))
    with atomic_dir(Path("data/generated")) as folder:
        write_clips(folder, clips, makers.synthesiser(), audio)
    draw_clips(Path("metrics/generate"), clips)


if __name__ == "__main__":
    run(main)
