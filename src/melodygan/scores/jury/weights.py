"""Where the tagger's weights come from: the installed package, then a converted copy in .cache."""

from importlib import metadata
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import sha256_file, write_atomic
from melodygan.pipeline.runtime import cache_root
from melodygan.scores.jury.checkpoint import read_checkpoint
from melodygan.scores.jury.network import Tagger, from_tensorflow

PACKAGE = "musicnn"
FILES = {  # in the wheel, with their SHA-256: scores are comparable only with these very weights
    "musicnn/MSD_musicnn/.index": (
        "87f3e0f3550c8d3bafc840374003e5c8af5eeb5ecf6add61af09a7822d3282c8"
    ),
    "musicnn/MSD_musicnn/.data-00000-of-00001": (
        "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6"
    ),
}


def load_tagger() -> Tagger | None:
    """The network with its published weights, for use only; None without the package.

    The first call converts the weights into .cache/jury, later ones read that copy; a copy that is
    damaged is made again. Raises UserError if the package's own files are damaged.
    """
    files = _installed()
    if files is None:
        return None
    copy = cache_root() / "jury" / "musicnn-msd.safetensors"
    network = Tagger()
    try:
        network.load_state_dict(safetensors.torch.load_file(copy))
    except (FileNotFoundError, SafetensorError, RuntimeError):  # the last: other keys or shapes
        weights = from_tensorflow(read_checkpoint(*files))
        network.load_state_dict(weights)
        write_atomic(copy, safetensors.torch.save(weights))
    return network.requires_grad_(False).eval()


def _installed() -> list[Path] | None:
    """Index and data file of the checkpoint, checked; the package is not imported."""
    try:
        package = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        return None
    files = [Path(str(package.locate_file(name))) for name in FILES]
    for file, wanted in zip(files, FILES.values(), strict=True):
        if not file.is_file() or sha256_file(file) != wanted:
            raise UserError(
                f"{file} is missing or not the file of {PACKAGE} 0.1.0: "
                f"`uv sync --reinstall-package {PACKAGE}`"
            )
    return files
