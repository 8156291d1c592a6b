"""Running a stage: its fingerprint, its one-line errors, what happens after success."""

from typing import Any

import pytest

from melodygan.pipeline import Stage, UserError

Project = Any  # the fixture's class, in conftest.py


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The toy project as the working directory, without DVC."""
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.chdir(project.root)
    project.write("src/band/work.py", "A = 1\n")
    project.main("pass")
    return project


def test_a_fingerprint_is_the_same_for_the_same_everything(here: Project) -> None:
    assert Stage("toy").fingerprint({"a": 1}) == Stage("toy").fingerprint({"a": 1})


@pytest.mark.parametrize("change", ["params", "code", "data"])
def test_a_fingerprint_changes_with_all_that_a_result_depends_on(
    here: Project, change: str
) -> None:
    before = Stage("toy").fingerprint({"a": 1})
    if change == "code":
        here.write("src/band/work.py", "A = 2\n")
    if change == "data":
        here.write("in.txt", "other\n")
    assert Stage("toy").fingerprint({"a": 2 if change == "params" else 1}) != before


def test_a_fingerprint_ignores_how_code_is_written_and_sees_every_byte_of_data_beside_it(
    here: Project,
) -> None:
    here.write("src/band/table.txt", "one\n")
    before = Stage("toy").fingerprint({})
    here.write("src/band/work.py", "# a comment\nA = (1)\n")
    assert Stage("toy").fingerprint({}) == before
    here.write("src/band/table.txt", "# one\n")
    assert Stage("toy").fingerprint({}) != before


def test_a_fingerprint_ignores_what_is_not_declared(here: Project) -> None:
    before = Stage("toy").fingerprint({})
    here.write("src/other/work.py", "A = 2\n")
    here.write("src/band/__pycache__/work.pyc", "bytecode")
    assert Stage("toy").fingerprint({}) == before


def test_inputs_count_as_they_lie_there_whatever_dvc_lock_says(
    here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    dvc_yaml = (here.root / "dvc.yaml").read_text()
    here.write("dvc.yaml", dvc_yaml.replace("in.txt,", "data/features,"))
    here.write("data/features/index", "one")
    monkeypatch.setenv("DVC_STAGE", "toy")
    here.write("dvc.lock", "stages: {before: {outs: [{path: data/features, md5: aa.dir}]}}")
    before = Stage("toy").fingerprint({})
    here.write("data/features/index", "two")
    assert Stage("toy").fingerprint({}) != before
    here.write("data/features/index", "one")
    for lock in ("", "stages: {before: {outs: [{path: data/features, md5: bb.dir}]}}"):
        here.write("dvc.lock", lock)
        assert Stage("toy").fingerprint({}) == before


def test_an_unknown_stage_is_told_the_known_ones(here: Project) -> None:
    with pytest.raises(UserError, match=r"dvc.yaml: no stage `toys` \(known: toy\)"):
        Stage("toys")


def test_what_follows_success_waits_for_the_guard(here: Project) -> None:
    done: list[str] = []
    stage = Stage("toy")
    stage.when_done(lambda: done.append("cleaned up"))
    here.write("in.txt", "edited meanwhile\n")
    with pytest.raises(UserError, match=r"in\.txt changed"):
        stage.succeed()
    assert done == []
    stage = Stage("toy")
    stage.when_done(lambda: done.append("cleaned up"))
    stage.succeed()
    assert done == ["cleaned up"]


def test_a_user_error_is_one_line_and_exit_status_1(project: Project) -> None:
    project.main("from melodygan.pipeline import UserError\nraise UserError('do this instead')")
    result = project.python("stages/toy.py")
    assert (result.returncode, result.stderr) == (1, "toy: do this instead\n")


def test_a_stage_that_already_runs_here_is_not_started_beside_itself(project: Project) -> None:
    project.main("""
    import time
    Path("began").touch()
    while not Path("end").exists():
        time.sleep(0.05)
    Path("out").write_text("1")
    """)
    script = (project.root / "stages/toy.py").read_text()
    hasty = "from melodygan.pipeline import stage\n\nstage._PATIENCE = 1.0\n"
    project.write("stages/toy.py", hasty + script)
    first = project.start("stages/toy.py")
    while not (project.root / "began").exists():
        assert first.poll() is None
    second = project.python("stages/toy.py")
    wanted = "toy: another process runs this stage here: wait for it, or stop it\n"
    assert (second.returncode, second.stderr) == (1, wanted)
    project.write("end", "")
    assert first.wait() == 0
    assert project.python("stages/toy.py").returncode == 0, "the lock is gone with the process"


def test_a_bug_keeps_its_traceback(project: Project) -> None:
    project.main("raise IndexError('a bug')")
    result = project.python("stages/toy.py")
    assert result.returncode == 1
    assert "Traceback" in result.stderr and "IndexError: a bug" in result.stderr


def test_a_mistake_in_the_machine_settings_is_one_line_too(project: Project) -> None:
    project.main("from melodygan.pipeline.runtime import Runtime\nRuntime.read()")
    params = (project.root / "params.yaml").read_text()
    project.write("params.yaml", params.replace("device: cpu", "device: gpu"))
    result = project.python("stages/toy.py")
    wanted = "toy: params.yaml: runtime.device must be auto | cpu | cuda, not 'gpu'\n"
    assert (result.returncode, result.stderr) == (1, wanted)


def test_libraries_get_one_thread_and_hashes_one_seed(project: Project) -> None:
    project.main(
        "import os\nnames = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'PYTHONHASHSEED')\n"
        "Path('out').write_text(' '.join(os.environ[n] for n in names))"
    )
    project.environment["OMP_NUM_THREADS"] = "7"
    result = project.python("stages/toy.py")
    assert result.returncode == 0, result.stderr
    assert (project.root / "out").read_text() == "1 1 0"


@pytest.mark.parametrize("link", ["made", "made/out"])
def test_an_output_behind_a_link_out_of_the_repository_is_refused_before_any_work(
    here: Project, link: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """DVC itself refuses it after the work; a link that stays inside hurts nobody."""
    here.write("dvc.yaml", (here.root / "dvc.yaml").read_text().replace("[out]", "[made/out]"))
    here.main("Path('began').touch(); Path('made/out').mkdir(parents=True, exist_ok=True)")
    place = here.root / link
    place.parent.mkdir(exist_ok=True)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    place.symlink_to(elsewhere)
    _, said = here.start("stages/toy.py").communicate()
    assert said.startswith(f"toy: {link} is a link to {elsewhere}, where DVC records nothing: ")
    assert len(said.splitlines()) == 1 and not (here.root / "began").exists()
    place.unlink()
    (here.root / "inside").mkdir()
    place.symlink_to(here.root / "inside")
    inside = here.start("stages/toy.py")
    inside.communicate()
    assert inside.returncode == 0 and (here.root / "began").exists()
