"""A library of another version is not the one that made what is kept."""

import importlib.metadata
import sys
from pathlib import Path
from typing import Any

import pytest

from melodygan.pipeline.packages import _SILENT, changed, installed, versions
from melodygan.pipeline.syntax import imports

Project = Any  # the fixture's class, in conftest.py

WORK = """
def work(folder, version):
    from wave_tools import VERSION
    with open("calls", "a") as file:
        file.write(VERSION)
    (folder / "result").write_text(VERSION)
"""
TRACKS = """
from melodygan.pipeline.tracks import Job, map_tracks
from band.work import work
map_tracks(stage, [Job("a", "1", ("x",))], work, {})
Path("out").write_text("done")
"""
PRINTS = """
import band.work, wave_tools
print(stage.fingerprint({}))
if Path("upgrade").exists():
    Path("site/wave_tools-1.0.dist-info").rename("site/wave_tools-2.0.dist-info")
Path("out").write_text("done")
"""


def install(project: Project, name: str, version: str) -> None:
    """Make it the version that a pip would leave in the folder `site`."""
    site = project.root / "site"
    for old in site.glob(f"{name}-*.dist-info"):
        (old / "METADATA").unlink()
        old.rmdir()
    if name != "tqdm":  # of which only the version is told
        project.write(f"site/{name}.py", f"VERSION = {version!r}\n")
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    need = ["Requires-Dist: fft-kernels>=1", 'Requires-Dist: plots; extra == "docs"']
    text = "\n".join(lines + need * (name == "wave_tools")) + "\n"
    project.write(f"site/{name}-{version}.dist-info/METADATA", text)


@pytest.fixture
def upgradable(project: Project) -> Project:
    """The toy project, whose code imports wave_tools, which needs fft_kernels."""
    project.write("src/band/work.py", WORK)
    project.main(TRACKS)
    for name in ("wave_tools", "fft_kernels", "plots", "tqdm"):
        install(project, name, "1.0")
    project.environment["PYTHONPATH"] = str(project.root / "site")
    return project


def calls(project: Project) -> str:
    """Versions that did some work in a run that succeeds."""
    (project.root / "calls").unlink(missing_ok=True)
    done = project.python("stages/toy.py")
    assert done.returncode == 0, done.stderr
    path = project.root / "calls"
    return path.read_text() if path.exists() else ""


def test_what_another_version_of_a_library_made_is_made_again(upgradable: Project) -> None:
    assert calls(upgradable) == "1.0"
    assert calls(upgradable) == ""
    install(upgradable, "wave_tools", "1.1")
    assert calls(upgradable) == "1.1"
    install(upgradable, "fft_kernels", "1.1")
    assert calls(upgradable) == "1.1", "what it needs counts too"
    for other in ("plots", "tqdm"):
        install(upgradable, other, "1.1")
    assert calls(upgradable) == "", "what has no part in results costs nothing"
    install(upgradable, "wave_tools", "1.0")
    install(upgradable, "fft_kernels", "1.0")
    assert calls(upgradable) == "", "what the older ones made is still there"


def test_a_library_that_changes_during_a_track_never_enters_the_cache(upgradable: Project) -> None:
    upgrade = "    import os\n    os.rename('site/wave_tools-1.0.dist-info', 'site/wave_tools-2.0."
    upgradable.write("src/band/work.py", WORK + upgrade + "dist-info')\n")
    done = upgradable.python("stages/toy.py")
    assert done.returncode == 1
    assert "wave_tools 1.0 (now 2.0) changed while the stage ran: run" in done.stderr
    assert list((upgradable.root / ".cache/tracks/toy").iterdir()) == []


def test_a_run_of_another_library_is_another_run(upgradable: Project) -> None:
    upgradable.main(PRINTS)
    prints = []
    for version in ("1.0", "1.1", "1.0"):
        install(upgradable, "wave_tools", version)
        done = upgradable.python("stages/toy.py")
        assert done.returncode == 0, done.stderr
        prints.append(done.stdout)
    assert prints[0] == prints[2] != prints[1]


def test_an_upgrade_during_a_run_is_told(upgradable: Project) -> None:
    upgradable.main(PRINTS)
    (upgradable.root / "upgrade").touch()
    done = upgradable.python("stages/toy.py")
    assert done.returncode == 0, done.stderr
    told = "toy: the results are of wave_tools 1.0 (now 2.0): changed while it ran"
    assert told in done.stdout.splitlines()


def test_the_versions_are_those_that_python_itself_tells() -> None:
    mine = installed()
    for name in ("numpy", "torch", "scipy", "soundfile", "safetensors"):
        assert mine[name] == importlib.metadata.version(name).partition("+")[0]
    assert changed(mine) == []
    assert changed({"numpy": "1.0"}) == [f"numpy 1.0 (now {mine['numpy']})"]
    assert changed({"no_such": "1.0"}) == ["no_such 1.0 (now gone)"]


def test_every_library_that_the_code_imports_is_found_under_its_name() -> None:
    """One whose package has another name than its module would be in no key."""
    root = Path(__file__).parents[2]
    files = [str(path) for path in (root / "src/melodygan").rglob("*.py")]
    found = versions(files)
    assert {"numpy", "scipy", "torch", "soundfile", "soxr", "av", "onnxruntime"} <= found.keys()
    assert {"librosa", "audio_separator", "safetensors"} <= found.keys()
    assert not {"tqdm", "melodygan", "yt_dlp"} & found.keys()
    modules = {name.partition(".")[0] for file in files for name in imports(Path(file))}
    unknown = modules - set(sys.stdlib_module_names) - found.keys() - _SILENT
    assert unknown == set()
