"""A project with the real code and small made-up music, in which searches of the VQ-VAE run."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake
import pytest
from searching import SPACE, until, write_space


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Without test tracks: a search that asked for one would fail."""
    for name in ("src", "stages"):
        (tmp_path / name).symlink_to(fake.ROOT / name)
    shutil.copy(fake.ROOT / "dvc.yaml", tmp_path)
    shutil.copy(fake.ROOT / "params.yaml", tmp_path)
    runtime = fake.RUNTIME | {"checkpoint_seconds": 0}
    fake.change_params(tmp_path, {"runtime": runtime, "audio": fake.AUDIO.as_dict()} | fake.MODELS)
    music = [t for t in fake.tunes(["beat", "drone"]) if t.split != "test"]
    fake.write_features(tmp_path / "data/features", music)
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DVC_STAGE"):
        monkeypatch.delenv(name, raising=False)
    write_space(vqvae=SPACE)
    return tmp_path


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL server, started for these tests and ended with them."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not places:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    owner = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short, for a socket; pytest's own is private
    shutil.chown(folder, owner)
    binaries = places[-1].parent
    quiet: dict[str, Any] = {"user": owner, "cwd": folder, "stdout": subprocess.DEVNULL}
    try:
        data = str(folder / "data")
        initdb = [str(binaries / "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-N"]
        subprocess.run(initdb, check=True, **quiet)
        command = [str(binaries / "postgres"), "-D", data, "-k", str(folder), "-F"]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen([*command, "-c", "listen_addresses="], stderr=log, **quiet)
        try:
            until((folder / ".s.PGSQL.5432").exists)
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)  # fast: without waiting for clients
            server.wait(30)
    finally:
        shutil.rmtree(folder)
