"""One Ctrl-C ends `dvc repro` at each moment at which it was lost, or ended in a traceback.

A stage of the toy pipelines aims it: at DVC alone where the stage would have failed by it.
"""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

INTERRUPT = "import os, signal; os.kill(os.getppid(), signal.SIGINT)"


@pytest.fixture
def heeded() -> Iterator[None]:
    """SIGINT as a terminal's programs have it, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def python(code: str) -> str:
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


def toy(root: Path, first: str) -> None:
    """Two stages, of which the first runs `first`; what follows writes the file `second`."""
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    stages = {"a": first, "b": "echo 2 > second"}
    text = "stages:\n" + "".join(
        f"  {name}:\n    cmd: {cmd!r}\n    always_changed: true\n" for name, cmd in stages.items()
    )
    (root / "dvc.yaml").write_text(text)


def dvc(
    root: Path, *arguments: str, site: str = "", program: str = "dvc"
) -> "subprocess.CompletedProcess[str]":
    """`dvc` as the environment has it; site: what Python runs at its start (sitecustomize)."""
    (root / "site").mkdir(exist_ok=True)
    (root / "site/sitecustomize.py").write_text(site)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DVC_")}
    return subprocess.run(
        [str(Path(sys.executable).parent / program), *arguments],
        cwd=root, env=environment | {"PYTHONPATH": str(root / "site"), "SHELL": "/bin/bash"},
        capture_output=True, text=True, start_new_session=True, timeout=60,
    )  # fmt: skip


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("flags", [(), ("--keep-going",)])
@pytest.mark.parametrize("end", ["", "; raise SystemExit(3)"])
def test_an_interrupt_that_the_stage_cannot_pass_on_stops_dvc_after_it(
    tmp_path: Path, flags: tuple[str, ...], end: str
) -> None:
    toy(tmp_path, python(INTERRUPT + end))
    result = dvc(tmp_path, "repro", *flags)
    assert result.returncode not in (0, 255) and not (tmp_path / "second").exists()
    assert "interrupted by the user" in result.stderr and "Traceback" not in result.stderr


AT_IMPORT = """
import os, signal, sys
def aim(event, arguments):
    if event == "import" and arguments[0] == "{module}":
        try:
            os.kill(os.getpid(), signal.SIGINT)
            len("")  # Python looks for signals
        except KeyboardInterrupt:
            pass  # as libraries do, and Python in a weak reference's callback
sys.addaudithook(aim)
"""


@pytest.mark.usefixtures("heeded")
def test_an_interrupt_that_a_library_swallowed_lets_no_stage_begin(tmp_path: Path) -> None:
    toy(tmp_path, "echo 1 > first")
    result = dvc(tmp_path, "repro", site=AT_IMPORT.format(module="dvc.repo.reproduce"))
    assert result.returncode == 252 and not (tmp_path / "first").exists()
    assert "interrupted by the user" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.usefixtures("heeded")
def test_an_interrupt_before_dvc_can_catch_it_ends_it_without_a_traceback(tmp_path: Path) -> None:
    toy(tmp_path, "echo 1 > first")
    result = dvc(tmp_path, "repro", site=AT_IMPORT.format(module="dvc.cli"))
    assert result.returncode == -signal.SIGINT and result.stderr == ""


@pytest.mark.usefixtures("heeded")
def test_an_interrupt_while_melodygan_starts_ends_it_without_a_traceback(tmp_path: Path) -> None:
    site = AT_IMPORT.format(module="melodygan.cli")
    result = dvc(tmp_path, "--help", site=site, program="melodygan")
    assert result.returncode == -signal.SIGINT and result.stderr == ""


@pytest.mark.usefixtures("heeded")
def test_what_an_interrupt_leaves_half_made_is_no_traceback(tmp_path: Path) -> None:
    """As DVC's progress bars do."""
    toy(tmp_path, "echo 1 > first")
    half = "import site; site.half = type('Half', (), {'__del__': lambda self: 1 / 0})()\n"
    result = dvc(tmp_path, "repro", site=half + AT_IMPORT.format(module="dvc.repo.reproduce"))
    assert result.returncode == 252 and "Traceback" not in result.stderr


def test_where_interrupts_are_ignored_from_the_start_they_stay_so(tmp_path: Path) -> None:
    """As in a shell's background."""
    toy(tmp_path, python(INTERRUPT))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert dvc(tmp_path, "repro").returncode == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "second").exists()
