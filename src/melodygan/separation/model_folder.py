"""Where separation models live, and how one gets there.

Every model has a folder of its own that audio-separator can use without a network: the weights
and three JSON files. The demo model's folder is shipped beside this file; it is a small network
that was trained on nothing but the demo band, so that the pipeline runs anywhere. A UVR model's
folder is `.cache/uvr-models/<file name>`, filled on first use; copied there, it serves offline.
"""

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import atomic_dir, sha256_file
from melodygan.pipeline.runtime import cache_root
from melodygan.separation.quiet import quiet

DEMO = "demo"
DEMO_FOLDER = Path(__file__).parent / "demo_model"
DEMO_FILE = "melodygan_demo.onnx"


def model_file(model: str) -> tuple[Path, str]:
    """Folder and file name of a model, as given in `separate.model`; downloads nothing.

    Raises UserError if the name is not a plain file name.
    """
    if model == DEMO:
        return DEMO_FOLDER, DEMO_FILE
    if Path(model).name != model:
        raise UserError(
            f"separate.model must be `{DEMO}` or the file name of a UVR model, not `{model}`"
        )
    return cache_root() / "uvr-models" / model, model


def provide(model: str) -> None:
    """Download a UVR model's folder unless it is there.

    To be called before workers start: two of them would download into one folder.
    Raises UserError when there is no such model or no network.
    """
    folder, file = model_file(model)
    if folder.exists():
        return
    with atomic_dir(folder) as temporary, quiet():
        from audio_separator.separator import Separator

        separator = Separator(log_level=50, model_file_dir=str(temporary), info_only=True)
        try:
            separator.download_model_and_data(file)
        except (OSError, RuntimeError, ValueError) as error:  # requests' errors are OSErrors
            raise unusable(model, error) from None


def unusable(model: str, error: Exception) -> UserError:
    """One line for whatever audio-separator says about a model that it cannot get or load."""
    folder, _ = model_file(model)
    reason = " ".join(str(error).split())[:200]
    return UserError(
        f"separate.model: cannot use `{model}` ({type(error).__name__}: {reason}): set it to "
        f"`{DEMO}` or a file name that `audio-separator --list_models` shows; without a network, "
        f"copy the model's folder to {folder.parent.name}/{folder.name} in .cache"
    )


def fingerprint(model: str) -> dict[str, Any]:
    """What the result of separation depends on beside the audio: model files and libraries."""
    folder, _ = model_file(model)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    total = hashlib.sha256("".join(path.name + sha256_file(path) for path in files).encode())
    return {
        "model": model,
        "sha256": total.hexdigest(),
        "audio_separator": version("audio-separator"),
        "onnxruntime": version("onnxruntime"),
    }
