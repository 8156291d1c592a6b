"""Training from the page, with the real DVC and a stage that only pretends to learn."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from melodygan.app.training import Training
from melodygan.pipeline.errors import UserError

SCRIPT = """
import pathlib, time
folder = pathlib.Path(".cache/checkpoints/toy/run"); folder.mkdir(parents=True, exist_ok=True)
pathlib.Path("metrics/toy").mkdir(parents=True, exist_ok=True)
curve = pathlib.Path("metrics/toy/train.tsv"); curve.write_text("step\\ttoy_loss\\n")
for step in range(1, 10_000):
    with curve.open("a") as file: file.write(f"{step}\\t{1 / step}\\n")
    if step % 10 == 0:
        (folder / f"step-{step:09d}.pt").write_text("saved")
        for old in sorted(folder.iterdir())[:-2]: old.unlink()
    time.sleep(0.02)
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC project with one stage."""
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "--no-scm"], check=True)
    Path("toy.py").write_text(SCRIPT)
    stage = {"cmd": "python toy.py", "deps": ["toy.py"], "outs": ["metrics/toy"]}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"toy": stage}}))
    params = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
    groups = {"seed": 0, "runtime": params["runtime"], "toy": {"steps": 10_000}}
    Path("params.yaml").write_text(yaml.safe_dump(groups))
    return tmp_path


def test_a_run_shows_its_progress_and_stops_when_its_state_is_saved(toy: Path) -> None:
    async def work() -> None:
        training = Training()
        twice = training.start("toy"), training.start("toy")
        answers = await asyncio.gather(*twice, return_exceptions=True)
        assert [type(answer) for answer in answers] == [type(None), UserError]
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["rate"] is None or seen[-1]["step"] < 30:
            assert training.running, training.lines
            await asyncio.sleep(0.1)
            (now,) = training.told()["stages"]
            seen.append(now)
        assert now["state"] == "training" and now["steps"] == 10_000 and now["left"] > 0
        assert now["losses"]["toy_loss"][0] == pytest.approx(1.0)
        training.stop()
        assert training.told()["stopping"]
        while training.running:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.1)
        told = training.told()
        assert (told["ended"], told["stage"]) == ("stopped", None)
        saved = max(int(path.stem[5:]) for path in toy.rglob("step-*.pt"))
        last = told["stages"][0]["step"]
        assert 0 <= last - saved < 10, "nothing is lost but what came after the save"

    asyncio.run(asyncio.wait_for(work(), 120))
