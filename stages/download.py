"""Obtain the audio that data/sources.lock.yaml names, and check it.

The built-in demo band is rendered, local files are copied, addresses are downloaded (unless
`melodygan lock` has just done that). Every file's bytes must be the ones that were locked;
`download.on_drift` in params.yaml says what happens otherwise. Writes data/raw.
"""

from pathlib import Path

from melodygan.pipeline import Stage, run


def main(stage: Stage) -> None:
    from melodygan.pipeline.params import load
    from melodygan.sources.raw import DownloadParams, write_raw

    data = Path("data")
    params = load(DownloadParams, "download")
    write_raw(stage, params, data / "sources.yaml", data / "sources.lock.yaml", data / "raw")


if __name__ == "__main__":
    run(main)
