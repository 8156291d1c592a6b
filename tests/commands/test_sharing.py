"""`melodygan pack` and `melodygan use`: models that sound the same elsewhere, and hostile packs."""

import hashlib
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import onnxruntime
import pytest
import torch
from huggingface_hub import ModelCard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from melodygan.cli import main
from melodygan.commands.pack import pack
from melodygan.commands.use import use
from melodygan.generation.recipe import weights_sha256
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.kinds import NETWORKS
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import write_json
from melodygan.pipeline.params import load
from melodygan.pipeline.recorded import _md5_folder
from melodygan.sharing.manifest import MOST
from melodygan.sources.lockfile import Lock, LockedTrack, write_lock

pytestmark = pytest.mark.usefixtures("song")
NAMES = ["latent_prior", "vocoder", "vqvae"]


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The folder elsewhere/, a checkout that has no music and no models."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(name, folder / name)
    return folder


@pytest.mark.parametrize("zipped", [False, True])
def test_a_packed_model_makes_the_same_bytes_where_its_music_is_not(
    zipped: bool, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    making = ["generate", "--label", "beat", "--seconds", "0.5", "-o", "out"]
    assert main(making) == 0
    out = Path("share.zip" if zipped else "share").resolve()
    lines = pack("latent_prior", out, zipped)
    assert lines[0].startswith(f"{out}: latent_prior, vocoder, vqvae, ")
    wav = Path("out/000.wav").read_bytes()
    monkeypatch.chdir(there)
    assert main(making) == 1
    said = use(out, force=False)
    assert said[0] == f"models/latent_prior: from {out}"
    assert "`dvc freeze latent_prior vocoder vqvae` keeps them" in said[-1]
    assert sorted(path.name for path in Path("models").iterdir()) == NAMES
    assert main(making) == 0
    assert Path("out/000.wav").read_bytes() == wav


def test_what_is_not_here_is_told_with_both_ways_to_get_it(
    there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(there)
    for command in (["generate"], ["convert", "../song.wav", "--to", "drone"], ["pack", "vqvae"]):
        assert main([*command, "-o", "out.wav"]) == 1
        said = capsys.readouterr().err
        assert "not here" in said and "dvc repro" in said and said.count("\n") == 1


def test_a_pack_is_laid_out_for_the_hub_and_equal_packs_are_equal_bytes() -> None:
    pack("latent_prior", Path("one"), zipped=False)
    pack("latent_prior", Path("one.zip"), zipped=True)
    files = contents(Path("one"))
    weights = [f"{name}/{file}" for name in NAMES for file in ("config.json", "model.safetensors")]
    assert sorted(files) == sorted([".gitattributes", "README.md", "manifest.json", *weights])
    assert not any(path.is_symlink() for path in Path("one").rglob("*"))
    with zipfile.ZipFile("one.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
    first = Path("one.zip").read_bytes()
    pack("latent_prior", Path("one.zip"), zipped=True)
    assert Path("one.zip").read_bytes() == first
    assert not list(Path().glob("one.zip.*"))
    for file in json.loads(files["manifest.json"])["files"]:
        content = files[file["path"]]
        assert file["bytes"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()


def test_weights_that_dvc_keeps_as_links_are_packed_as_files() -> None:
    weights = Path("models/vqvae/weights.safetensors")
    weights.rename("cached")
    weights.symlink_to(Path("cached").resolve())
    pack("vqvae", Path("one"), zipped=False)
    packed = Path("one/vqvae/model.safetensors")
    assert not packed.is_symlink() and packed.read_bytes() == Path("cached").read_bytes()


def test_nothing_but_a_pack_is_written_over() -> None:
    Path("music").mkdir()
    Path("music/mine.flac").write_bytes(b"the only copy")
    for out in (Path("music"), Path("song.wav"), Path("music/mine.flac")):
        before = contents(Path())
        with pytest.raises(UserError, match="is there and is no pack"):
            pack("vqvae", out, zipped=False)
        assert contents(Path()) == before
    pack("vqvae", Path("one"), zipped=False)
    pack("cyclegan", Path("one"), zipped=False)
    assert (Path("one") / "cyclegan").is_dir() and not (Path("one") / "vqvae").exists()


def test_a_vocoder_that_exports_is_packed_as_onnx_too() -> None:
    torch.manual_seed(0)
    params = replace(load(VocoderParams, "vocoder"), kind="vocos")
    Vocoder(params, fake.AUDIO, NETWORKS["vocos"](params, fake.AUDIO)).save(Path("models/vocoder"))
    lines = pack("vocoder", Path("one"), zipped=False)
    assert lines[1].startswith("onnx/vocoder.onnx needs no torch")
    assert onnxruntime.InferenceSession("one/onnx/vocoder.onnx").get_inputs()[0].name == "mel"
    listed = [file["path"] for file in json.loads(Path("one/manifest.json").read_text())["files"]]
    assert "onnx/vocoder.onnx" in listed and "onnx/vocoder.md" in listed
    use(Path("one"), force=False)


@pytest.fixture
def trained(models: Path) -> None:
    """A project whose dvc.lock records models/latent_prior, with two tracks and three scores."""
    tracks = [
        LockedTrack(f"t{n}", "folder", label, n, "A title", path=f"{n}.wav", suffix=".wav",
                    sha256="0" * 64, duration=90.0, licence=licence)
        for n, (label, licence) in enumerate((("beat", "CC-BY-4.0"), ("beat", None)))
    ]  # fmt: skip
    write_lock(Path("data/sources.lock.yaml"), Lock("0", {"beat": 2}, tracks))
    scores = {
        "kernel_distance": {"value": 0.25, "floor": 0.01, "noise": 0.9, "interval": [0.2, 0.3]},
        "mean": {"chroma": {"value": 0.5, "identity": 1.0}},
        "steps": 10,
    }
    write_json(Path("metrics/latent_prior.json"), scores)
    out = {
        "path": "models/latent_prior",
        "hash": "md5",
        "md5": _md5_folder(Path("models/latent_prior")),
    }
    write_json(Path("dvc.lock"), {"schema": "2.0", "stages": {"latent_prior": {"outs": [out]}}})


@pytest.mark.usefixtures("trained")
def test_the_card_says_what_it_learnt_from_and_stands_scores_between_their_anchors() -> None:
    pack("latent_prior", Path("one"), zipped=False)
    card = ModelCard.load(Path("one/README.md"))
    assert card.data.license == "other", "one track has none stated"
    results = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert results == {"kernel_distance": 0.25, "mean chroma": 0.5}
    assert "# latent_prior\n\nWhat latent_prior does\n" in card.text
    assert "| beat | 2 | 3.0 | CC-BY-4.0 (1), not stated (1) |" in card.text
    assert "| kernel_distance | 0.25 | floor 0.01, noise 0.9 |" in card.text
    assert "generate --model latent_prior --label 'beat'" in card.text
    assert "n_mels 32" in card.text and "Without ONNX: vocoder kind griffinlim" in card.text


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("recorded", [False, True])
def test_the_card_claims_no_data_or_scores_for_weights_from_elsewhere(recorded: bool) -> None:
    config = Path("models/latent_prior/config.json")
    if recorded:
        config.write_text(config.read_text() + " ")
    else:
        write_json(Path("dvc.lock"), {"schema": "2.0", "stages": {"vqvae": {}}})
    pack("latent_prior", Path("one"), zipped=False)
    card = ModelCard.load(Path("one/README.md"))
    assert card.data.eval_results is None
    assert "CC-BY" not in card.text and "0.25" not in card.text
    assert card.text.count("not what dvc.lock") == 2


def test_other_models_are_replaced_only_by_force() -> None:
    pack("latent_prior", Path("one"), zipped=False)
    before = contents(Path("models"))
    assert "was there already" in use(Path("one"), force=False)[0]
    vqvae = Path("models/vqvae/config.json")
    mine = vqvae.read_text().replace("-6.0", "-7.0")
    vqvae.write_text(mine)
    with pytest.raises(UserError, match="would replace models/vqvae, and what was trained on"):
        use(Path("one"), force=False)
    assert vqvae.read_text() == mine
    said = use(Path("one"), force=True)
    assert "was there already" in said[0] and said[2].startswith("models/vqvae: from")
    assert contents(Path("models")) == before


def test_all_models_are_as_they_were_if_one_cannot_be_put_in_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pack("latent_prior", Path("one"), zipped=False)
    shutil.rmtree("models/latent_prior")
    for name in ("vocoder", "vqvae"):
        config = Path(f"models/{name}/config.json")
        config.write_text(config.read_text() + "\n")
    before = contents(Path("models"))
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        if self.parent.name.startswith(".use-") and target.name == "vqvae":
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        use(Path("one"), force=True)
    assert contents(Path("models")) == before


def test_another_mel_convention_is_refused_and_another_stem_told(there: Path) -> None:
    pack("vqvae", Path("one"), zipped=False)
    fake.change_params(Path(), {"preprocess": {"stems": ["mix"], "loudness_lufs": -14.0}})
    said = use(Path("one"), force=False)
    assert "have heard the instrumental at -23 LUFS, and params.yaml has mix at -14" in said[-2]
    fake.change_params(Path(), {"audio": {"fmax": 3000.0}})
    with pytest.raises(UserError, match=r"made with fmax 4000.0, but params.yaml has fmax 3000.0"):
        use(Path("one"), force=True)


# hostile packs

Change = Callable[[Path], Any]


def relisted(change: Change) -> Change:
    """The change, with a manifest that tells its sizes and hashes, as a forger would write it."""

    def apply(folder: Path) -> None:
        change(folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        for file in manifest["files"]:
            content = (folder / file["path"]).read_bytes()
            file |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return apply


def told(**values: object) -> Change:
    """Other values in the manifest."""

    def apply(folder: Path) -> None:
        path = folder / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return apply


def listed(ending: str = "", **values: object) -> Change:
    """Other values of the first file in the manifest whose name ends so."""

    def apply(folder: Path) -> None:
        path = folder / "manifest.json"
        manifest = json.loads(path.read_text())
        next(file for file in manifest["files"] if file["path"].endswith(ending)).update(values)
        path.write_text(json.dumps(manifest))

    return apply


def configured(**values: object) -> Change:
    def apply(folder: Path) -> None:
        path = folder / "vqvae/config.json"
        config = json.loads(path.read_text())
        path.write_text(json.dumps(config | {"params": config["params"] | values}))

    return relisted(apply)


class Bomb:
    """Leaves the file `exploded` when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("exploded",)


WEIGHTS = "vqvae/model.safetensors"
HOSTILE: dict[str, tuple[Change, str]] = {
    "a changed byte": (lambda f: (f / WEIGHTS).write_bytes(
        (f / WEIGHTS).read_bytes()[:-1] + b"?"), "is not what the manifest says"),
    "a longer file": (lambda f: (f / WEIGHTS).write_bytes(
        (f / WEIGHTS).read_bytes() + b"?"), "is not what the manifest says"),
    "a shorter file": (lambda f: (f / WEIGHTS).write_bytes(b""), "is not what the manifest says"),
    "no file": (lambda f: (f / WEIGHTS).unlink(), "is not a whole pack"),
    "a pipe": (lambda f: ((f / WEIGHTS).unlink(), os.mkfifo(f / WEIGHTS)), "is not a whole pack"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "is not a whole pack"),
    "a huge manifest": (lambda f: (f / "manifest.json").write_bytes(b" " * (MOST + 1)), "larger"),
    "a deep manifest": (lambda f: (f / "manifest.json").write_bytes(b"[" * 100_000), "too deeply"),
    "not an object": (lambda f: (f / "manifest.json").write_bytes(b"[]"), "must be a group"),
    "a later format": (told(format=2), "manifest.format must be 1"),
    "an unknown key": (told(code="x.py"), "unknown key manifest.code"),
    "an unlisted model": (told(models=["vqvae", "vocoder", "wgan_gp"]), "does not name all files"),
    "a model twice": (told(models=["vqvae", "vqvae", "vocoder"]), "names a model twice"),
    "a huge configuration": (listed(bytes=MOST + 1), "larger than any configuration"),
    "a path outside": (listed(path="../../models/vqvae/config.json"), "not that of a packed file"),
    "a whole path": (listed(path="/etc/passwd"), "not that of a packed file"),
    "a huge size": (listed(bytes=1 << 40), "bytes must be at most"),
    "more than the disk holds": (
        listed(".safetensors", bytes=1 << 36), r"needs .* GB in models/|is not what",
    ),
    "a pickle": (relisted(lambda f: (f / WEIGHTS).write_bytes(pickle.dumps(Bomb()))), "unreadable"),
    "a huge network": (configured(channels=1 << 20), "but config.json asks for"),
    "another network": (configured(channels=32), "but config.json asks for"),
    "a strange setting": (configured(execute="rm"), "unknown key params.execute"),
}  # fmt: skip


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_pack_is_refused_in_one_line_and_changes_nothing(what: str, zipped: bool) -> None:
    change, message = HOSTILE[what]
    pack("vqvae", Path("one"), zipped=False)
    change(Path("one"))
    given = Path("one")
    if zipped and what != "a pipe":  # which a ZIP file cannot hold
        shutil.make_archive("bad", "zip", "one")
        given = Path("bad.zip")
    (Path("models/vqvae") / "mine.txt").write_text("mine")
    before = contents(Path("models"))
    with pytest.raises(UserError, match=message) as raised:
        use(given, force=True)
    assert str(given) in str(raised.value) and str(raised.value).isprintable()
    assert ".use-" not in str(raised.value)
    assert contents(Path("models")) == before and not Path("exploded").exists()


def test_a_pack_whose_prior_lacks_its_vqvae_does_not_take_the_one_that_is_here() -> None:
    pack("latent_prior", Path("one"), zipped=False)
    told(models=["latent_prior", "vocoder"])(Path("one"))
    with pytest.raises(UserError, match="its latent_prior cannot be used here"):
        use(Path("one"), force=True)


def test_a_zip_that_swells_is_read_no_further_than_it_says() -> None:
    pack("vqvae", Path("one"), zipped=False)
    with zipfile.ZipFile("bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents(Path("one")).items():
            archive.writestr(name, bytes(1 << 28) if name == WEIGHTS else content)
    assert Path("bomb.zip").stat().st_size < 1 << 20
    with pytest.raises(UserError, match="is not what the manifest says"):
        use(Path("bomb.zip"), force=True)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), min_size=1))
def test_a_damaged_zip_installs_what_was_packed_or_nothing(
    damage: list[tuple[float, bytes]],
) -> None:
    if not Path("one.zip").exists():
        pack("vocoder", Path("one.zip"), zipped=True)
    data = bytearray(Path("one.zip").read_bytes())
    for share, content in damage:
        place = int(share * len(data))
        data[place : place + len(content)] = content
    Path("bad.zip").write_bytes(bytes(data))
    packed = weights_sha256(Path("models/vocoder"))
    try:
        use(Path("bad.zip"), force=True)
    except UserError as error:
        assert str(error).isprintable()
    assert weights_sha256(Path("models/vocoder")) == packed
    assert not list(Path("models").glob(".use-*"))
