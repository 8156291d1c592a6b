"""`melodygan doctor` on this machine, with the repository's own settings and with broken ones."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import fake
import pytest

from melodygan.commands.doctor import check_data, check_packages, check_python, doctor
from melodygan.pipeline.errors import UserError
from melodygan.sources.lock import lock

ROOT = Path(__file__).parents[1]
SUBJECTS = [
    "python",
    "packages",
    "starts",
    "ffmpeg",
    "gpu",
    "javascript",
    "disk",
    "git",
    "params",
    "sources",
    "data",
]
REPORT = {
    "tracks": {"accepted": 7, "rejected": 12},
    "minutes": {"total": 21.25},
    "labels": {
        "jazz": {"train": 2, "validation": 1, "test": 1},
        "rock": {"train": 1, "validation": 1, "test": 1},
    },
    "rejects": [{"file": f"{i}.mp3", "reason": "silent"} for i in range(12)],
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with this repository's params.yaml and a locked demo."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    Path("data").mkdir()
    Path("data/sources.yaml").write_text("sources:\n  - demo: {tracks: 6, seconds: 4}\n")
    lock(Path("data/sources.yaml"), Path("data/sources.lock.yaml"))
    return tmp_path


def report(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[list[str]]]:
    """Exit status of `doctor` and its lines as [level, subject, text]."""
    capsys.readouterr()
    status = doctor()
    return status, [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]


def level_of(lines: list[list[str]], subject: str) -> str:
    return next(level for level, name, _ in lines if name == subject)


def test_a_ready_machine_passes_and_every_subject_has_its_line(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines = report(capsys)
    assert status == 0
    assert [subject for _, subject, _ in lines] == SUBJECTS
    for subject in ("python", "packages", "ffmpeg", "params", "sources"):
        assert level_of(lines, subject) == "OK"
    assert level_of(lines, "data") == "WARN"


def test_every_mistake_in_params_and_sources_is_told_at_once(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text + "\nvocodr:\n  steps: 1\n")
    Path("data/sources.yaml").write_text("sources:\n  - demo: {tracks: 5, seconds: 4}\n")
    status, lines = report(capsys)
    assert status == 1
    assert ["FAIL", "params"] in [line[:2] for line in lines]
    assert "unknown group `vocodr`" in next(line[2] for line in lines if line[1] == "params")
    assert "`melodygan lock`" in next(line[2] for line in lines if line[1] == "sources")


def test_a_missing_lock_file_fails_with_the_remedy(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data/sources.lock.yaml").unlink()
    status, lines = report(capsys)
    assert status == 1
    assert "run `melodygan lock`" in next(line[2] for line in lines if line[1] == "sources")


def test_the_data_report_counts_labels_minutes_and_rejects(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("metrics").mkdir()
    Path("metrics/preprocess.json").write_text(json.dumps(REPORT))
    status, lines = report(capsys)
    told = [line[2] for line in lines if line[1] == "data"]
    assert status == 0
    assert told[0] == "7 tracks (jazz 4, rock 3), 21.2 minutes"
    assert told[1].startswith("fewer than 4 test tracks of jazz, rock: ")
    assert told[2] == "rejected 0.mp3: silent"
    assert told[-1] == "2 more rejected: metrics/preprocess.json"


def test_wide_intervals_come_with_the_test_tracks_that_would_mend_them(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("metrics/evaluate").mkdir(parents=True)
    tested = {"rock": {"train": 9, "validation": 3, "test": 4}}
    Path("metrics/preprocess.json").write_text(json.dumps(REPORT | {"labels": tested}))
    for interval, needed in (([0.3, 0.7], "64 would make it 0.1"), ([0.46, 0.54], ""), (None, "")):
        scores = {"gan": {"sample": {"order_auc": {"floor_interval": interval}}}}
        Path("metrics/evaluate/scores.json").write_text(json.dumps(scores))
        told = [line[2] for line in report(capsys)[1] if line[2].startswith("order_auc")]
        assert [line.endswith(needed) for line in told] == [True] * bool(needed)


def test_a_gpu_that_is_asked_for_but_not_there_fails(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("device: auto", "device: cuda"))
    status, lines = report(capsys)
    assert status == 1
    assert level_of(lines, "gpu") == "FAIL"


def test_an_old_python_and_other_package_versions_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.version_info", (3, 10, 4))
    assert [str(f) for f in check_python()] == [
        "FAIL  python     3.10.4, needs 3.11 or 3.12: `uv sync --python 3.11`"
    ]
    pins = ["numpy==0.1", "melodygan-of-mars==1", "deno==2; extra == 'youtube'"]
    monkeypatch.setattr("melodygan.commands.doctor.requires", lambda name: pins)
    wrong, missing = check_packages()
    assert (wrong.level, missing.level) == ("WARN", "FAIL")
    assert "not 0.1" in wrong.text
    assert "melodygan-of-mars is missing" in missing.text


def test_tracks_that_a_stage_cannot_be_done_with_fail_before_the_first_stage(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ROOT / "dvc.yaml", repository)
    fake.change_params(repository, {"cyclegan": {"labels": ["swing", "jazz"]}})
    fake.change_params(repository, {"vocoder": {"hears": "vqvae"}})
    status, lines = report(capsys)
    told = {line[1]: line[2] for line in lines if line[0] == "FAIL"}
    assert status == 1 and told.keys() == {"params", "sources"}
    assert "models/vqvae: add it to stages.vocoder.deps in dvc.yaml" in told["params"]
    assert told["sources"].startswith("cyclegan.labels has jazz, of which there are not three")


@pytest.mark.parametrize("text", ["[]", "{}", '{"labels": 7}', "[" * 9999, '{"tracks": NaN}', ""])
@pytest.mark.parametrize("name", ["preprocess.json", "evaluate/scores.json"])
def test_a_damaged_report_is_one_line(repository: Path, name: str, text: str) -> None:
    Path("metrics/evaluate").mkdir(parents=True)
    Path("metrics/preprocess.json").write_text(json.dumps(REPORT))
    Path("metrics", name).write_text(text)
    if (name, text) == ("evaluate/scores.json", "{}"):  # of a project without generators
        assert all(finding.level != "FAIL" for finding in check_data())
        return
    with pytest.raises(UserError, match=rf"^metrics/{name} is .*`dvc repro`$"):
        list(check_data())


@pytest.mark.parametrize("change", [("instrumental, mix", "instrumental"), ("true", "false")])
def test_settings_that_leave_pix2pix_without_pairs_are_a_warning(
    repository: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str]
) -> None:
    old, new = (f"[{of}]" if "," in change[0] else f"enabled: {of}" for of in change)
    text = Path("params.yaml").read_text()
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new))
    status, lines = report(capsys)
    assert status == 0
    (said,) = [line[2] for line in lines if line[:2] == ["WARN", "params"]]
    assert said.startswith("pix2pix will learn nothing")


def test_a_data_folder_that_is_a_link_elsewhere_fails_before_the_first_stage(
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(ROOT / "dvc.yaml", repository)
    Path("models").symlink_to(tmp_path_factory.mktemp("disk"))
    status, lines = report(capsys)
    (text,) = [line[2] for line in lines if line[:2] == ["FAIL", "disk"]]
    assert status == 1 and text.startswith("models is a link to ")


def test_a_missing_git_identity_is_told_with_the_remedy(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(repository))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    _, lines = report(capsys)
    (text,) = [line[2] for line in lines if line[:2] == ["WARN", "git"]]
    assert "user.name" in text and "user.email" in text and "git config" in text
    for key, value in (("user.name", "A"), ("user.email", "a@b.c")):
        subprocess.run(["git", "config", key, value], check=True)
    _, lines = report(capsys)
    assert ["OK", "git", "A <a@b.c>"] in lines


def test_a_checkout_without_git_is_told_what_dvc_needs(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(".git")
    status, lines = report(capsys)
    (text,) = [line[2] for line in lines if line[:2] == ["FAIL", "git"]]
    assert status == 1 and "`git init`" in text
    remedy = "dvc config --local core.no_scm true"
    assert f"`{remedy}`" in text
    Path(".dvc").mkdir()
    subprocess.run(remedy.split(), check=True)
    status, lines = report(capsys)
    assert status == 0 and ["WARN", "git"] in [line[:2] for line in lines]
    Path(".git").mkdir()  # something that git does not take for a repository
    _, lines = report(capsys)
    assert "`git status`" in next(line[2] for line in lines if line[1] == "git")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_checkout_that_is_somebody_elses_is_told(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data").chmod(0o555)
    status, lines = report(capsys)
    Path("data").chmod(0o755)
    (text,) = [line[2] for line in lines if line[:2] == ["FAIL", "disk"]]
    assert status == 1 and text.startswith(str(repository / "data"))
