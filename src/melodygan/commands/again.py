"""`melodygan generate --recipe FILE.wav`: a made file once more, from the recipe inside it."""

import tempfile
from dataclasses import fields
from pathlib import Path

from melodygan.commands.convert import convert, require_free
from melodygan.commands.generate import generate, go_on, vary
from melodygan.generation.recipe import Recipe, read_recipe, weights_sha256
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import sha256_file
from melodygan.pipeline.guard import stage_table


def make_again(file: Path, song: Path | None, out: Path | None) -> str:
    """Make the WAV file `file` again, as `out`, from its recipe; return what to say of it.

    song: what `file` was made from, where it was. out: None stands for a new name beside `file`.
    Raises UserError for a recipe that cannot be followed here: no such model or another one, a song
    that is missing or another one, or that would be heard otherwise; nothing is written then.
    """
    out = file.with_name(f"{file.stem}-again.wav") if out is None else out
    if out.suffix.lower() != ".wav" or out.is_dir():
        raise UserError(f"{out}: the result is a WAV file: give it a name that ends in .wav")
    recipe = read_recipe(file)
    if out.exists() and out.samefile(file):
        raise UserError(f"{out} is the file itself: give the result another name")
    require_free(out, song)
    _require_models(file, recipe)
    _require_song(file, recipe, song)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".again-") as folder:
        made = _make(recipe, song, Path(folder))
        _require_same(file, recipe, read_recipe(made))
        same = sha256_file(made) == sha256_file(file)
        made.replace(out)
    if same:
        return f"{out}: {file} again, byte for byte"
    return (
        f"{out}: by the recipe of {file}, but not its bytes: that file was changed since, or made "
        f"on another machine or with other libraries ({recipe.made_by})"
    )


def _make(recipe: Recipe, song: Path | None, folder: Path) -> Path:
    """By the command that made it first, with its settings."""
    drawn = (recipe.seed or 0, 1, folder, recipe.model)
    strength = 1.0 if recipe.strength is None else recipe.strength
    if song is None:
        generate(recipe.label, recipe.seconds, *drawn, recipe.temperature)
    elif recipe.kind == "continuation":
        go_on(song, recipe.label, recipe.seconds or 0.0, *drawn, recipe.temperature)
    elif recipe.kind == "variation":
        vary(song, strength, recipe.label, *drawn, recipe.keep_vocals, recipe.temperature)
    else:
        out = folder / "000.wav"
        convert(song, recipe.source, recipe.label or "", out, strength, recipe.keep_vocals)
    return folder / "000.wav"


def _require_models(file: Path, recipe: Recipe) -> None:
    deps = [Path(dep) for dep in stage_table("generate")["deps"]]
    folders = {dep.name: dep for dep in deps if dep.parent == Path("models")}
    for model in recipe.models:
        if model.name not in folders:
            there = ", ".join(folders)
            raise UserError(f"{file} was made with {model.name}, which is not here (are: {there})")
        here = weights_sha256(folders[model.name])
        if here != model.sha256:
            raise UserError(
                f"{file} was made with another {model.name} ({model.sha256[:8]}) than "
                f"{folders[model.name]} ({here[:8]}): check out the commit that had it, and "
                "`dvc checkout`, or install its pack with `melodygan use`"
            )


def _require_song(file: Path, recipe: Recipe, song: Path | None) -> None:
    if recipe.song is None:
        if song is not None:
            raise UserError(f"{file} was not made from a song: leave --song out")
        return
    if song is None:
        raise UserError(
            f"{file} is a {recipe.kind} of a song (SHA-256 {recipe.song[:8]}...): add --song SONG"
        )
    if not song.is_file():
        raise UserError(f"{song}: there is no such file: give the song of {file}")
    if sha256_file(song) != recipe.song:
        raise UserError(f"{song} is not the song that {file} was made from: give that one")


def _require_same(file: Path, wanted: Recipe, made: Recipe) -> None:
    """Raise UserError where the same command does not do here what it did there."""
    keys = [one.name for one in fields(Recipe) if one.name != "made_by"]
    for key in keys:
        if getattr(wanted, key) != getattr(made, key):
            remedy = ": what preprocess and separate in params.yaml say of songs has changed"
            raise UserError(
                f"{file} has another {key} than its model and settings give here"
                f"{remedy if key == 'hearing' else ''}"
            )
