"""The guard, by real `dvc repro`: what a stage declares is what ran, or nothing is recorded."""

import json
import os
import py_compile
import signal
import sys
import time
from typing import Any

import psutil
import pytest

Project = Any  # the fixture's class, in conftest.py


def repro(project: Project) -> str:
    """A `dvc repro` that must fail; what it said."""
    result = project.python("-m", "dvc", "repro")
    assert result.returncode != 0, result.stdout
    assert not (project.root / "dvc.lock").exists(), "a failed stage must not be recorded"
    return str(result.stderr)


def reason(said: str) -> str:
    """The one line in which the stage told its reason."""
    (line,) = [line for line in said.splitlines() if line.startswith("toy: ")]
    return str(line)


def test_a_stage_that_declares_what_it_imports_succeeds_and_is_up_to_date(project: Project) -> None:
    project.write("src/band/work.py", "ANSWER = 42\n")
    project.main("from band.work import ANSWER\nPath('out').write_text(str(ANSWER))")
    first = project.python("-m", "dvc", "repro")
    assert first.returncode == 0, first.stderr
    assert (project.root / "out").read_text() == "42"
    second = project.python("-m", "dvc", "repro")
    assert "didn't change, skipping" in second.stdout
    project.write("src/band/work.py", "ANSWER = 43\n")
    project.python("-m", "dvc", "repro")
    assert (project.root / "out").read_text() == "43"


def test_an_undeclared_import_fails_the_stage(project: Project) -> None:
    project.write("src/other/hidden.py", "VALUE = 1\n")
    project.main("from other.hidden import VALUE\nPath('out').write_text(str(VALUE))")
    line = reason(repro(project))
    assert "imported src/other/hidden.py outside its deps" in line
    assert "stages.toy.deps in dvc.yaml" in line


EDITS = {
    "src/band/work.py": "from band import work\nPath('src/band/work.py').write_text('A = 2')",
    "stages/toy.py": "Path('stages/toy.py').write_text('pass')",
    "src/band/table.json": "Path('src/band/table.json').write_text('[2]')",
    "in.txt": "Path('in.txt').write_text('other')",
    "toy in params.yaml": "p = Path('params.yaml')\n"
    "p.write_text(p.read_text().replace('factor: 2', 'factor: 3'))",
}


@pytest.mark.parametrize("what", EDITS)
def test_what_is_edited_during_the_run_is_not_recorded_as_what_ran(
    project: Project, what: str
) -> None:
    project.write("src/band/work.py", "A = 1\n")
    project.write("src/band/table.json", "[1]")
    project.main(EDITS[what] + "\nPath('out').write_text('made from the old version')")
    result = project.python("stages/toy.py")
    assert result.returncode == 1
    assert f"toy: stage toy: {what} changed while the stage ran" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_module_that_is_renamed_is_neither_recorded_nor_found_by_its_old_bytecode(
    project: Project,
) -> None:
    project.write("src/band/work.py", "A = 1\n")
    rename = "Path('src/band/work.py').rename('src/band/job.py')"
    project.main(f"from band import work\n{rename}\nPath('out').write_text('1')")
    result = project.python("stages/toy.py")
    assert result.returncode == 1
    assert "toy: stage toy: src/band/work.py changed while the stage ran" in result.stderr
    project.main("from band import work\nPath('out').write_text('1')")
    result = project.python("stages/toy.py")
    assert result.returncode == 1 and "cannot import name 'work' from 'band'" in result.stderr


@pytest.mark.parametrize("how", ["replaced", "written to", "removed", "added to"])
def test_a_folder_of_data_that_changes_during_the_run_is_not_recorded(
    project: Project, how: str
) -> None:
    dvc_yaml = (project.root / "dvc.yaml").read_text()
    project.write("dvc.yaml", dvc_yaml.replace("in.txt,", "data/clean,"))
    project.write("data/clean/audio", "old")
    edits = {
        "replaced": "Path('new').write_text('old'); Path('new').replace('data/clean/audio')",
        "written to": "Path('data/clean/audio').write_text('newer')",
        "removed": "Path('data/clean/audio').unlink()",
        "added to": "Path('data/clean/more').touch()",
    }
    project.main(edits[how] + "\nPath('out').write_text('made from the old data')")
    result = project.python("stages/toy.py")
    assert result.returncode == 1
    assert "toy: stage toy: data/clean changed while the stage ran" in result.stderr
    project.main("Path('data/clean').stat()\nPath('out').write_text('1')")
    assert project.python("stages/toy.py").returncode == 0


def test_code_of_equal_size_and_time_runs_and_not_its_old_bytecode(project: Project) -> None:
    """As rsync -t, tar and docker COPY leave it, also where nothing may write bytecode."""
    project.main("from band.work import ANSWER\nPath('out').write_text(str(ANSWER))")
    file = project.root / "src/band/work.py"
    for answer, wishes in ((1, {}), (2, {}), (3, {"PYTHONDONTWRITEBYTECODE": "1"})):
        project.write("src/band/work.py", f"ANSWER = {answer}\n")
        os.utime(file, (1e9, 1e9))
        project.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        project.environment.update(wishes)
        result = project.python("stages/toy.py")
        assert result.returncode == 0, result.stderr
        assert (project.root / "out").read_text() == str(answer)
        py_compile.compile(str(file))  # by time, as any other process of Python does


def test_dvc_records_nothing_of_a_run_during_which_its_parameters_changed(project: Project) -> None:
    project.main(EDITS["toy in params.yaml"] + "\nPath('out').write_text('old')")
    assert "params.yaml changed while the stage ran" in reason(repro(project))


def test_edits_that_cannot_have_mattered_do_not_fail_the_run(project: Project) -> None:
    project.write("src/band/unused.py", "A = 1\n")
    project.main(
        """
        Path('src/band/unused.py').write_text('A = 2')
        p = Path('params.yaml')
        p.write_text(p.read_text() + 'another: {stage: 1}\\n')
        Path('out').write_text('1')
        """
    )
    result = project.python("stages/toy.py")
    assert result.returncode == 0, result.stderr


def test_imports_of_worker_processes_count(project: Project) -> None:
    project.write("src/other/hidden.py", "VALUE = 1\n")
    project.write(
        "src/band/work.py",
        """
        def work(folder):
            from other.hidden import VALUE
            (folder / "value").write_text(str(VALUE))
        """,
    )
    project.main(
        """
        from melodygan.pipeline.tracks import Job, map_tracks
        from band.work import work
        map_tracks(stage, [Job("a", "1", ()), Job("b", "2", ())], work, {})
        """
    )
    params = (project.root / "params.yaml").read_text()
    project.write("params.yaml", params.replace("workers: 1", "workers: 2"))
    result = project.python("stages/toy.py")
    assert result.returncode == 1
    assert "imported src/other/hidden.py outside its deps" in result.stderr


def test_of_a_group_only_the_declared_parameters_count(project: Project) -> None:
    dvc_yaml = (project.root / "dvc.yaml").read_text()
    project.write("dvc.yaml", dvc_yaml.replace("params: [toy]", "params: [toy.factor]"))
    edit = (
        "p = Path('params.yaml')\n"
        "p.write_text(p.read_text().replace('{old}', '{new}'))\n"
        "Path('out').write_text('x')"
    )
    params = (project.root / "params.yaml").read_text()
    project.write("params.yaml", params.replace("{factor: 2}", "{factor: 2, speed: 1}"))
    project.main(edit.format(old="speed: 1", new="speed: 2"))
    assert project.python("stages/toy.py").returncode == 0
    project.main(edit.format(old="factor: 2", new="factor: 3"))
    result = project.python("stages/toy.py")
    assert result.returncode == 1 and "toy.factor in params.yaml changed" in result.stderr


def test_an_experiment_runs_the_code_of_its_own_checkout(project: Project) -> None:
    """As with an editable install, the main checkout's src is on the path of every process."""
    project.environment["PYTHONPATH"] = str(project.root / "src")
    dvc_yaml = (project.root / "dvc.yaml").read_text()
    project.write(
        "dvc.yaml", dvc_yaml.replace("outs: [out]", "metrics: [out.json: {cache: false}]")
    )
    project.write("src/band/work.py", "ANSWER = 1\n")
    project.main(
        """
        import json
        from band import work
        place = {"answer": work.ANSWER, "file": work.__file__, "here": str(Path.cwd())}
        Path("out.json").write_text(json.dumps(place))
        """
    )
    project.git("add", ".")
    project.git("commit", "--quiet", "--message", "first")
    project.write("src/band/work.py", "ANSWER = 2\n")
    project.git("commit", "--quiet", "--all", "--message", "changed")
    result = project.python("-m", "dvc", "exp", "run", "--temp", "--name", "trial")
    assert result.returncode == 0, result.stderr
    (ref,) = project.git("for-each-ref", "--format=%(refname)", "refs/exps/*/*/trial").split()
    made = json.loads(project.git("show", f"{ref}:out.json"))
    assert made["here"] != str(project.root)
    assert made["file"] == f"{made['here']}/src/band/work.py"
    assert made["answer"] == 2


def gone(process: psutil.Process) -> bool:
    """Ended; a zombie that nobody in this container collects counts as ended."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def wait_for(condition: Any) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("waited a minute for nothing")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can ask for this")
def test_killing_dvc_kills_the_stage(project: Project) -> None:
    project.main(
        """
        import os, time
        Path("pid.tmp").write_text(str(os.getpid()))
        Path("pid.tmp").rename("pid")
        time.sleep(300)
        """
    )
    dvc = project.start("-m", "dvc", "repro")
    wait_for((project.root / "pid").exists)
    stage = psutil.Process(int((project.root / "pid").read_text()))
    assert stage.is_running()
    dvc.send_signal(signal.SIGKILL)
    dvc.communicate()
    wait_for(lambda: gone(stage))
