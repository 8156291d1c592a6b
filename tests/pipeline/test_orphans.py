"""A stage ends with the dvc that runs it: real dvc, real shells, real signals."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

Project = Any  # the fixture's class, in conftest.py

WAIT = """
import os, time
Path("stage.pid").write_text(str(os.getpid()))
time.sleep(100)
"""


def wait_for(condition: Callable[[], Any], what: str) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come in half a minute")


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def start(project: Project) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["dvc", "repro"], cwd=project.root, env=project.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def stage_pid(project: Project) -> int:
    file = project.root / "stage.pid"
    wait_for(lambda: file.exists() and file.read_text(), "the stage")
    return int(file.read_text())


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh", None])
def test_a_stage_ends_when_its_dvc_is_killed(project: Project, shell: str | None) -> None:
    """dash, as /bin/sh often is, stays between the two and lives on."""
    project.environment.pop("SHELL", None)
    if shell:
        project.environment["SHELL"] = shell
    project.main(WAIT)
    dvc = start(project)
    pid = stage_pid(project)
    time.sleep(0.2)
    dvc.kill()
    wait_for(lambda: gone(pid), "the stage's end")


def test_a_stage_whose_dvc_died_before_it_had_started_does_not_run(project: Project) -> None:
    project.main(WAIT)
    dvc = start(project)

    def stage() -> psutil.Process | None:
        children = psutil.Process(dvc.pid).children(recursive=True)
        return next((c for c in children if "stages/toy.py" in " ".join(c.cmdline())), None)

    wait_for(stage, "the stage")
    process = stage()
    assert process is not None
    process.suspend()
    dvc.kill()
    time.sleep(0.3)
    process.resume()
    wait_for(lambda: gone(process.pid), "the stage's end")
    assert not (project.root / "stage.pid").exists()


def test_an_interrupt_is_one_line(project: Project) -> None:
    project.main(WAIT)
    dvc = start(project)
    pid = stage_pid(project)
    os.killpg(dvc.pid, signal.SIGINT)
    said, _ = dvc.communicate(timeout=10)
    assert gone(pid)
    assert "toy: interrupted: run `dvc repro` to go on" in said and "Traceback" not in said
    project.main("Path('out').write_text('1')")
    assert project.python("-m", "dvc", "repro").returncode == 0


SITE = """
import os, signal, sys
started = "MELODYGAN_STAGE_PROCESS" in os.environ
if sys.orig_argv[1:2] == ["stages/toy.py"] and started is {second}:
    os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize("second", [False, True])
def test_an_interrupt_while_a_stage_starts_is_no_traceback(project: Project, second: bool) -> None:
    """A stage starts itself a second time; neither start may lose it."""
    project.main("Path('out').write_text('1')")
    project.write("site/sitecustomize.py", SITE.format(second=second))
    project.environment["PYTHONPATH"] = str(project.root / "site")
    said, _ = start(project).communicate(timeout=60)
    assert "failed to reproduce 'toy'" in said and "Traceback" not in said
    assert ("toy: interrupted" in said) is second and not (project.root / "out").exists()


def test_an_interrupt_while_a_stage_ends_fails_it(project: Project) -> None:
    project.main("""
    import atexit, os, signal
    Path("out").write_text("1")
    atexit.register(os.kill, os.getpid(), signal.SIGINT)
    """)
    said, _ = start(project).communicate(timeout=60)
    assert "failed to reproduce 'toy'" in said and "Traceback" not in said


def test_a_stage_without_dvc_runs_as_plain_python(project: Project) -> None:
    project.main("Path('out').write_text('1')")
    assert project.python("stages/toy.py").returncode == 0
    project.environment["DVC_STAGE"] = "toy"  # as a script that plays dvc may set it
    assert project.python("stages/toy.py").returncode == 0
