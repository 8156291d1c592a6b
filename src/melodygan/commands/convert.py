"""`melodygan convert`: a whole song, or a folder of them, into the other label's style."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from melodygan.audio.mel import MelConfig
from melodygan.audio.source import AudioError
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.generation.convert import Conversion
from melodygan.generation.makers import Extractor, Makers
from melodygan.generation.recipe import Recipe, models_of, read_recipe, with_recipe
from melodygan.generation.songs import Hearing, Separation
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import digest, sha256_file
from melodygan.pipeline.params import load
from melodygan.sources.naming import may_be_sound
from melodygan.sources.probing import duration


def convert(
    song: Path,
    source: str | None,
    target: str,
    out: Path,
    strength: float = 1.0,
    keep_vocals: bool = False,
) -> str:
    """Convert the file `song` from label `source` to label `target` into the WAV file `out`.

    target: or a stem, such as instrumental, that a model makes of the mix.
    song: or a folder, of which every file is converted into a WAV file of its name in the folder
    `out`. source: None stands for the only label that a model can convert to `target`. A song is
    taken apart first where the models were trained on a stem; keep_vocals lays its vocals back.
    Each result has its recipe inside. Returns a line for each song that says what was done. Raises
    UserError for a song that is not usable audio (of a folder: if none is), a direction that was
    not trained, models that are not there, or a result that would replace a file of the user's.
    """
    songs = _songs(song, out)
    audio = load(MelConfig, "audio")
    makers = Makers.here()
    name, model, source = makers.converter(source, target)
    if isinstance(model, Extractor):
        if keep_vocals:
            raise UserError(f"--keep-vocals: {target} is a stem and no style: leave it out")
        # it takes the song apart itself
        cleaning = replace(load(PreprocessParams, "preprocess"), loudness_lufs=model.loudness)
        hearing = Hearing(audio, cleaning)
    else:
        hearing = load_hearing(keep_vocals)
    conversion = Conversion(model, source, target, makers.synthesiser(), hearing, strength)
    models = models_of(makers, name)
    lines, failed = [], []
    for one, result in songs.items():
        try:
            heard_as = origin(one, hearing) | {"source": source, "strength": strength}
            recipe = Recipe("conversion", name, models, target, **heard_as)
            with with_recipe(result, recipe) as file:
                seconds = conversion.run(one, file)
        except UserError as error:
            if song == one:
                raise
            failed.append(f"not converted: {error}")
            continue
        lines.append(f"{result}: {seconds:.1f} s of {one.name}, {source} to {target}")
    if not lines:
        raise UserError(f"{song}: no file in it could be converted ({failed[0]})")
    if beside := sorted(file.name for file in _visible(song) - songs.keys()):
        failed.append(f"not converted, no sound: {', '.join(beside)}")
    return "\n".join([*lines, *failed])


def _songs(song: Path, out: Path) -> dict[Path, Path]:
    """Which file becomes which."""
    if song.is_dir():
        if out.exists() and not out.is_dir():
            raise UserError(f"{out} is a file: give a folder for the songs of {song}")
        songs = {file: out / f"{file.stem}.wav" for file in sorted(_visible(song)) if _heard(file)}
        if not songs:
            raise UserError(f"{song}: no files of audio in it: choose a folder of songs")
        if len(set(songs.values())) < len(songs):
            raise UserError(f"{song}: two files have one name but for their endings: rename one")
    else:
        if out.suffix.lower() != ".wav":
            raise UserError(f"{out}: the result is a WAV file: give it a name that ends in .wav")
        if out.is_dir():
            raise UserError(f"{out} is a folder: give the result the name of a file")
        songs = {song: out}
    for one, result in songs.items():
        require_free(result, one)
    return songs


def _visible(song: Path) -> set[Path]:
    """The files of a folder, without hidden ones; nothing of a file."""
    if not song.is_dir():
        return set()
    return {file for file in song.iterdir() if file.is_file() and not file.name.startswith(".")}


def _heard(file: Path) -> bool:
    """Whether a file of a folder is meant: not what players leave beside songs, like pictures."""
    try:
        return may_be_sound(file.name) or duration(file) > 0
    except AudioError:
        return False


def require_free(result: Path, song: Path | None = None) -> None:
    """Raise UserError if the result would overwrite what melodygan has not made.

    song: that it is made from, which it must not replace by whatever name.
    """
    if song is not None and result.exists() and song.exists() and result.samefile(song):
        raise UserError(f"{result} is the song itself: give the result another name")
    if not result.is_file():
        return
    try:
        read_recipe(result)
    except UserError:
        text = "is there, and not made by melodygan: give the result another name, or move it"
        raise UserError(f"{result} {text}") from None


def origin(song: Path, hearing: Hearing) -> dict[str, Any]:
    """What the recipe of a sound made from the file `song` says of it, and of how it was heard.

    Raises UserError for a file that is not there.
    """
    from melodygan.separation.model_folder import fingerprint
    from melodygan.separation.stage_work import SeparateParams

    if not song.is_file():
        raise UserError(f"{song}: No such file: give that of a song")
    cleaning, apart = hearing.cleaning, hearing.separation
    heard: dict[str, Any] = {
        "loudness_lufs": cleaning.loudness_lufs, "true_peak_db": cleaning.true_peak_db,
    }  # fmt: skip
    if apart:
        model = fingerprint(load(SeparateParams, "separate").model)
        heard |= {"stem": apart.stem, "separation": model}
    return {
        "song": sha256_file(song),
        "hearing": digest(heard),
        "keep_vocals": apart is not None and apart.keep_vocals,
    }


def load_hearing(keep_vocals: bool) -> Hearing:
    """How the models of this project hear songs. Raises UserError for vocals that are not apart."""
    from melodygan.separation.separate import StemSeparator
    from melodygan.separation.stage_work import SeparateParams

    audio, cleaning = load(MelConfig, "audio"), load(PreprocessParams, "preprocess")
    stem = cleaning.stems[0]
    if keep_vocals and stem != "instrumental":
        raise UserError(
            f"--keep-vocals: the models were trained on the {stem}, which has the vocals in it: "
            "set preprocess.stems to [instrumental] and train again, or leave it out"
        )
    params = load(SeparateParams, "separate")
    if stem == "mix" or not params.enabled:
        return Hearing(audio, cleaning)
    return Hearing(audio, cleaning, Separation(StemSeparator(params.model), stem, keep_vocals))
