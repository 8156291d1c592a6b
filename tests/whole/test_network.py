"""The data stages connect to nothing that the sources do not name, and leave no ids behind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
# in every Python process, children included; a name is looked up before it is connected to
WATCH = """
import os, sys
def hook(event, arguments):
    if event == "socket.getaddrinfo":
        place = str(arguments[0])
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        place = str(arguments[1][0])
    else:
        return
    if place not in ("127.0.0.1", "::1", "localhost", ""):
        with open(os.environ["CONNECTIONS"], "a") as file:
            file.write(place + "\\n")
        raise ConnectionRefusedError("no network in this test: " + place)
sys.addaudithook(hook)
"""
# what libraries that report home keep their ids in; caches of fonts and the like are not meant
IDS = ("*onnxruntime*", "*telemetry*", "*deviceid*", "*user_id*", "*analytics*")


def run(root: Path, *command: str) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DVC", "XDG", "ORT", "HF_"))}
    environment = kept | {
        "HOME": str(root.parent / "home"),
        "PYTHONPATH": f"{root.parent / 'watch'}{os.pathsep}{root / 'src'}",
        "CONNECTIONS": str(root.parent / "connections"),
    }
    done = subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_nothing_connects_and_no_id_is_left_in_the_home_folder(tmp_path: Path) -> None:
    root = tmp_path / "project"
    for folder in ("home", "watch", "project"):
        (tmp_path / folder).mkdir()
    (tmp_path / "watch/sitecustomize.py").write_text(WATCH)
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, root)
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    params["runtime"]["workers"] = 1
    params["preprocess"]["min_seconds"] = 1.0
    yaml.dump(params, root / "params.yaml")
    (root / "data").mkdir()
    (root / "data/sources.yaml").write_text("sources:\n  - demo: {tracks: 6, seconds: 3}\n")
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    run(root, "-m", "dvc", "init", "--quiet")
    shutil.copy(ROOT / ".dvc/config", root / ".dvc/config")
    run(root, "-m", "melodygan.cli", "lock")
    run(root, "-m", "melodygan.cli", "doctor")
    run(root, "-m", "dvc", "repro", "--quiet", "features")
    assert (root / "data/features/meta.json").is_file()
    assert not (tmp_path / "connections").exists(), (tmp_path / "connections").read_text()
    assert not [path for pattern in IDS for path in (tmp_path / "home").rglob(pattern)]


def test_the_watch_itself_sees_a_connection(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path),
        "CONNECTIONS": str(tmp_path / "connections"),
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode != 0
    assert "192.0.2.1" in (tmp_path / "connections").read_text()
