"""`melodygan pack NAME`: a model with all that it needs to sound, in one folder or ZIP file."""

import shutil
import zipfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch

from melodygan.audio.mel import MelConfig
from melodygan.commands.export import export_vocoder
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.generation.makers import Makers
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import atomic_dir, sha256_file, write_json
from melodygan.pipeline.params import load
from melodygan.sharing.card import card
from melodygan.sharing.manifest import MANIFEST, NAMES, Manifest, PackedFile, opened, read_manifest

# what Git must hand to its large-file store; the Hugging Face Hub does so by itself
ATTRIBUTES = "".join(
    f"*.{kind} filter=lfs diff=lfs merge=lfs -text\n" for kind in ("safetensors", "onnx")
)
ONNX = "onnx"


def pack(name: str, out: Path | None, zipped: bool) -> list[str]:
    """Write models/NAME as the pack `out`; return lines that say what is in it.

    out: None stands for NAME-pack, or NAME-pack.zip. Raises UserError for a model that is not
    there, and for an `out` that is there and is no pack.
    """
    out = Path(f"{name}-pack{'.zip' if zipped else ''}") if out is None else out
    if out.exists():
        _require_pack(out)
    audio, cleaning = load(MelConfig, "audio"), load(PreprocessParams, "preprocess")
    makers = Makers(audio, torch.device("cpu"), partial=True)
    if name not in makers.models:
        there = ", ".join(makers.models) or "none"
        raise UserError(f"models/{name} is not here (are: {there}): run `dvc repro {name}`")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.with_name(f"{out.name}.folder") if zipped else out
    with atomic_dir(folder) as made:
        models = [one.name for one in makers.behind(name)]
        for model in models:
            (made / model).mkdir()
            for there, packed in NAMES.items():  # copied: DVC may have made links of them
                shutil.copyfile(Path("models", model, there), made / model / packed)
        exported = _export(made, models)
        files = [_packed(path, made) for path in sorted(made.rglob("*")) if path.is_file()]
        heard = cleaning.stems[0], cleaning.loudness_lufs
        manifest = Manifest(1, name, models, version("melodygan"), audio, *heard, files)
        write_json(made / MANIFEST, asdict(manifest))
        (made / "README.md").write_text(card(makers.models[name], manifest, exported), "utf-8")
        (made / ".gitattributes").write_text(ATTRIBUTES)
    if zipped:
        _zip(folder, out)
    size = sum(file.bytes for file in files) / 1e6
    return [f"{out}: {', '.join(models)}, {size:.1f} MB", exported]


def _export(made: Path, models: list[str]) -> str:
    """Write the vocoder as ONNX where its kind can be; a line about it."""
    if "vocoder" not in models:
        return "No vocoder among them, so no ONNX."
    (made / ONNX).mkdir()
    try:
        export_vocoder(made / ONNX / "vocoder.onnx")
    except UserError as error:
        (made / ONNX).rmdir()
        return f"Without ONNX: {error}."
    return f"{ONNX}/vocoder.onnx needs no torch; {ONNX}/vocoder.md says how it is used."


def _packed(path: Path, made: Path) -> PackedFile:
    name = path.relative_to(made).as_posix()
    return PackedFile(name, path.stat().st_size, sha256_file(path))


def _require_pack(out: Path) -> None:
    """Raise UserError if `out`, which would be replaced, is anything but a pack."""
    try:
        with opened(out) as files:
            read_manifest(out, files)
    except UserError:
        raise UserError(f"{out} is there and is no pack: give another name with -o") from None


def _zip(folder: Path, out: Path) -> None:
    """The folder as a ZIP file, and the folder gone. Without times: equal packs are equal bytes."""
    temporary = out.with_name(f"{out.name}.tmp")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:  # weights do not shrink
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                entry.external_attr = 0o644 << 16
                with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as copy:
                    shutil.copyfileobj(source, copy)
    shutil.rmtree(folder)
    temporary.replace(out)
