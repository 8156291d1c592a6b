"""The training loop: exact resume, best weights, averages, early stop, clear failures."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import torch
from torch import nn

from melodygan.audio.mel import MelConfig
from melodygan.pipeline.errors import UserError
from melodygan.training.outlet import Outlet
from melodygan.training.settings import TrainSettings
from melodygan.training.task import Batch, Limit, Task, Trained, Update

Workspace = Any  # the fixture's class, in conftest.py


class ToyTask(Task):
    def trained(self) -> Trained:
        raise NotImplementedError

    def test(self) -> dict[str, Any]:
        raise NotImplementedError


class SlideTask(ToyTask):
    """One weight that falls by lr x factor per step, so that everything can be told in advance."""

    def __init__(self, settings: TrainSettings) -> None:
        self.network = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.network.weight)
        self.networks = {"slide": self.network}
        self.optimisers = {"slide": torch.optim.SGD(self.network.parameters(), settings.lr)}
        self.seen: list[float] = []

    @property
    def weight(self) -> float:
        return float(self.network.weight.detach())

    def batch(self, rng: np.random.Generator) -> Batch:
        return {"x": torch.ones(1, 1)}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        yield Update("slide", self.network(batch["x"]).sum())

    def validate(self) -> dict[str, float]:
        self.seen.append(self.weight)
        return {"distance": abs(self.weight + 2)}


def test_the_loss_falls(workspace: Workspace) -> None:
    workspace.train("line", lr=0.1, steps=60)
    losses = [row["line_loss"] for row in workspace.curve("train")]
    assert len(losses) == 6
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("kind", ["line", "pair"])
def test_one_seed_gives_the_same_bytes_and_another_gives_others(
    make_workspace: Callable[[str], Workspace], kind: str
) -> None:
    results = []
    for name, seed in [("a", 0), ("b", 0), ("c", 1)]:
        space = make_workspace(name)
        results.append(space.result(space.train(kind, seed=seed)))
    assert results[0] == results[1]
    assert results[0]["weights"] != results[2]["weights"]


def test_a_run_that_is_killed_ends_in_the_bytes_of_an_uninterrupted_one(
    make_workspace: Callable[[str], Workspace], capsys: pytest.CaptureFixture[str]
) -> None:
    space = make_workspace("whole")
    whole = space.result(space.train("pair"))
    space = make_workspace("killed")
    (space.folder / "kill-27").touch()
    command = [sys.executable, space.script, str(space.folder), "pair"]
    variables = os.environ | {"PYTHONPATH": str(fake.ROOT / "tests")}
    assert subprocess.run(command, check=False, env=variables).returncode == -9
    (space.folder / "kill-27").unlink()
    resumed = space.result(space.train("pair"))
    assert "resuming at step 27 of 40" in capsys.readouterr().out
    assert resumed == whole


@pytest.mark.parametrize("step", [1, 10, 11, 39])
def test_a_run_can_be_resumed_from_any_step(
    make_workspace: Callable[[str], Workspace], step: int
) -> None:
    space = make_workspace("whole")
    whole = space.result(space.train("line"))
    space = make_workspace("interrupted")
    space.interrupt("line", step)
    assert space.result(space.train("line")) == whole


@pytest.mark.parametrize("damage", ["truncated", "flipped", "garbage", "empty"])
def test_a_damaged_newest_checkpoint_falls_back_to_the_older_one(
    make_workspace: Callable[[str], Workspace], damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    space = make_workspace("whole")
    whole = space.result(space.train("pair"))
    space = make_workspace("damaged")
    space.interrupt("pair", 20)
    older, newest = space.checkpoints()
    content = newest.read_bytes()
    at = len(content) // 2
    flipped = (
        content[:at] + bytes(255 - byte for byte in content[at : at + 512]) + content[at + 512 :]
    )
    kinds = {"truncated": flipped[:at], "flipped": flipped, "garbage": b"no zip", "empty": b""}
    newest.write_bytes(kinds[damage])
    capsys.readouterr()
    assert space.result(space.train("pair")) == whole
    said = capsys.readouterr().out
    assert f"{newest.name} is not usable" in said
    assert f"resuming at step {int(older.stem[-9:])} of 40" in said


def test_only_the_same_run_is_resumed(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.interrupt("line", 20)
    capsys.readouterr()
    workspace.train("line", lr=0.01)
    workspace.train("line", seed=1)
    workspace.train("line", validate_every=5)
    workspace.set("precision: fp32", "precision: bf16")
    workspace.train("line")
    assert "resuming" not in capsys.readouterr().out
    workspace.set("precision: bf16", "precision: fp32")
    workspace.train("line")
    assert "resuming at step 20 of 40" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["line", "pair"])
def test_a_longer_run_goes_on_from_a_shorter_one_where_the_schedule_allows_it(
    make_workspace: Callable[[str], Workspace], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line's learning rate is constant; the pair's falls to zero at the last step."""
    space = make_workspace("whole")
    whole = space.result(space.train(kind, steps=57))
    space = make_workspace("prolonged")
    space.train(kind, steps=34)
    capsys.readouterr()
    assert space.result(space.train(kind, steps=57)) == whole
    assert ("resuming at step 34 of 57" in capsys.readouterr().out) == (kind == "line")


def test_a_shorter_run_does_not_start_from_beyond_its_end(
    make_workspace: Callable[[str], Workspace],
) -> None:
    space = make_workspace("whole")
    whole = space.result(space.train("line", steps=12))
    space = make_workspace("shortened")
    space.interrupt("line", 20)
    assert space.result(space.train("line", steps=12)) == whole


def test_the_number_of_loader_threads_changes_no_byte(
    make_workspace: Callable[[str], Workspace],
) -> None:
    results = []
    for loaders in (0, 1, 3):
        space = make_workspace(f"loaders-{loaders}")
        space.set("loaders: 0", f"loaders: {loaders}")
        results.append(space.result(space.train("pair")))
    assert results[0] == results[1] == results[2]


def test_an_exception_in_a_loader_thread_ends_the_run(workspace: Workspace) -> None:
    class Broken(SlideTask):
        def batch(self, rng: np.random.Generator) -> Batch:
            raise UserError("no such track")

    workspace.set("loaders: 0", "loaders: 2")
    assert one_line(workspace, Broken) == "no such track"


def test_checkpoints_stay_until_the_whole_stage_has_succeeded(workspace: Workspace) -> None:
    workspace.train("line")
    assert workspace.checkpoints(), "a kill while the stage scores its model must cost no training"
    workspace.stage.succeed()
    assert [path.name for path in workspace.checkpoints()] == ["step-000000040.pt"]


@pytest.mark.parametrize("kind", ["line", "pair"])
def test_a_finished_run_ends_at_once_in_the_same_bytes(
    workspace: Workspace, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when dvc is killed before it writes dvc.lock, or runs a stage for an edited comment."""
    whole = workspace.result(workspace.train(kind))
    workspace.stage.succeed()
    for step in range(40):
        (workspace.folder / f"interrupt-{step}").touch()  # no step may run
    for _ in range(2):
        capsys.readouterr()
        shutil.rmtree("metrics")
        assert workspace.result(workspace.train(kind)) == whole
        assert "resuming at step 40 of 40" in capsys.readouterr().out
        workspace.stage.succeed()


def test_a_run_that_stopped_early_ends_at_once_too(workspace: Workspace) -> None:
    class Stops(SlideTask):
        score = "distance"

        def updates(self, batch: Batch, step: int) -> Iterator[Update]:
            if Path("no-step-may-run").exists():
                raise AssertionError
            return super().updates(batch, step)

        def validate(self) -> dict[str, float]:
            return {"distance": 1.0}

    first = workspace.train(Stops, patience=1)
    whole, stopped = workspace.result(first), first.outcome
    assert stopped.reason == "stopped early" and stopped.steps == 20
    workspace.stage.succeed()
    Path("no-step-may-run").touch()
    again = workspace.train(Stops, patience=1)
    assert (workspace.result(again), again.outcome) == (whole, stopped)


def test_a_finished_run_goes_on_to_more_steps_as_if_it_had_never_ended(
    make_workspace: Callable[[str], Workspace], capsys: pytest.CaptureFixture[str]
) -> None:
    space = make_workspace("whole")
    whole = space.result(space.train("line", steps=57))
    space = make_workspace("prolonged")
    space.train("line", steps=34)
    space.stage.succeed()
    capsys.readouterr()
    assert space.result(space.train("line", steps=57)) == whole
    assert "resuming at step 34 of 57" in capsys.readouterr().out


def test_few_checkpoints_are_written_when_seconds_say_so(workspace: Workspace) -> None:
    workspace.set("checkpoint_seconds: 0", "checkpoint_seconds: 1000")
    workspace.train("line")
    assert [path.name for path in workspace.checkpoints()] == ["step-000000040.pt"]


def one_line(space: Workspace, make: Any) -> str:
    with pytest.raises(UserError) as error:
        space.train(make)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_a_loss_that_is_not_a_number_ends_the_run_with_the_remedy(workspace: Workspace) -> None:
    class Broken(SlideTask):
        def updates(self, batch: Batch, step: int) -> Iterator[Update]:
            loss = self.network(batch["x"]).sum()
            yield Update("slide", loss * float("nan") if step == 5 else loss)

    line = one_line(workspace, Broken)
    assert "slide_loss became nan at step 6" in line and "lower toy.lr" in line


def test_weights_that_overflow_in_the_last_update_are_not_handed_out(workspace: Workspace) -> None:
    class Broken(SlideTask):
        def lr_factor(self, progress: float, optimiser: str) -> float:
            return float("inf") if progress >= 39 / 40 else 1.0

    assert "norm of slide became inf at step 40" in one_line(workspace, Broken)


def test_a_score_that_is_not_a_number_ends_the_run(workspace: Workspace) -> None:
    class Broken(SlideTask):
        def validate(self) -> dict[str, float]:
            return {"distance": float("nan")}

    assert "distance became nan at step 10" in one_line(workspace, Broken)


class BestTask(SlideTask):
    score = "distance"


def test_the_weights_of_the_best_score_are_kept(workspace: Workspace) -> None:
    """The weight passes -2, where the distance is least, at step 20 of 40."""
    task = workspace.train(BestTask, lr=0.1)
    assert task.weight == pytest.approx(-2)
    assert [row["distance"] for row in workspace.curve("validation")] == pytest.approx(
        [1, 0, 1, 2], abs=1e-5
    )


def test_without_a_score_the_last_weights_are_kept(workspace: Workspace) -> None:
    assert workspace.train(SlideTask, lr=0.1).weight == pytest.approx(-4)


def test_patience_ends_the_run_after_so_many_validations_without_a_better_score(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    task = workspace.train(BestTask, lr=0.1, steps=1000, patience=3)
    assert [row["step"] for row in workspace.curve("validation")] == [10, 20, 30, 40, 50]
    assert task.weight == pytest.approx(-2)
    assert "50 steps, best distance" in (said := capsys.readouterr().out)
    assert "stopped early" in said


def test_a_budget_of_minutes_ends_the_run_with_the_best_weights(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    class Slow(BestTask):
        def batch(self, rng: np.random.Generator) -> Batch:
            time.sleep(0.01)
            return super().batch(rng)

    task = workspace.train(Slow, lr=0.1, steps=100_000, max_minutes=0.5 / 60)
    assert 10 <= task.outcome.steps < 100
    assert task.outcome.reason.startswith("max_minutes")
    assert task.weight == pytest.approx(-2)
    assert "max_minutes (0.00833333) reached" in capsys.readouterr().out
    assert len(workspace.curve("train")) == -(-task.outcome.steps // 10), "no row is lost"


def test_the_time_of_a_resumed_run_is_that_of_both_parts(workspace: Workspace) -> None:
    class Slow(SlideTask):
        def batch(self, rng: np.random.Generator) -> Batch:
            time.sleep(0.01)
            return super().batch(rng)

    first = workspace.train(Slow, lr=0.1, steps=20).spent
    both = workspace.train(Slow, lr=0.1, steps=40).spent
    assert both.wall_s > first.wall_s >= 0.2
    assert both.wall_s >= 0.4 and both.cpu_s > first.cpu_s > 0
    assert (both.device, both.processes) == ("cpu", 1)


def test_a_limit_warns_once_with_what_to_change(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    class Limited(SlideTask):
        limits = (Limit("train", "slide_loss", -2.0, 2, "it slides", "lower lr"),)

    task = workspace.train(Limited, lr=0.1)
    said = capsys.readouterr().out
    expected = "it slides (slide_loss -3.45 is below -2 at step 40): lower lr"
    # the loss of a row is the mean of its ten weights: -.45, -1.45, -2.45, -3.45
    assert f"toy: warning: {expected}" in said
    assert said.count("warning") == 1
    assert task.outcome.warnings == (expected,)


def test_samples_survive_a_resume(make_workspace: Callable[[str], Workspace]) -> None:
    class Sampling(SlideTask):
        audio = MelConfig(8000, 256, 64, 256, 16, 0.0, 4000.0)

        def updates(self, batch: Batch, step: int) -> Iterator[Update]:
            if step == 33 and Path("interrupt").exists():
                raise InterruptedError
            return super().updates(batch, step)

        def samples(self) -> dict[str, np.ndarray]:
            ramp = np.linspace(-11, self.weight, 40 * 16, dtype=np.float32)
            return {"ramp": ramp.reshape(40, 16)}

    def files(space: Workspace) -> dict[str, bytes]:
        found = [*(space.folder / "metrics/toy").glob("s*/*")]
        return {path.name: path.read_bytes() for path in found}

    space = make_workspace("whole")
    space.train(Sampling, sample_every=15)
    whole = files(space)
    kinds = ("png", "wav")
    assert sorted(whole) == [f"step-{n:07d}-ramp.{kind}" for n in (15, 30) for kind in kinds]
    space = make_workspace("interrupted")
    (space.folder / "interrupt").touch()
    with pytest.raises(InterruptedError):
        space.train(Sampling, sample_every=15)
    (space.folder / "interrupt").unlink()
    shutil.rmtree(space.folder / "metrics")  # as DVC does
    space.train(Sampling, sample_every=15)
    assert files(space) == whole


def test_learning_rates_follow_the_factor_also_after_a_resume(
    make_workspace: Callable[[str], Workspace],
) -> None:
    class Decaying(SlideTask):
        def lr_factor(self, progress: float, optimiser: str) -> float:
            return 1.0 - progress

    assert make_workspace("a").train(Decaying, lr=0.1).weight == pytest.approx(
        -0.1 * sum(1 - step / 40 for step in range(40))
    )


def test_the_average_is_what_is_validated_and_kept_and_training_goes_on_without_it(
    workspace: Workspace,
) -> None:
    class Averaged(SlideTask):
        averaged = ("slide",)
        average_decay = 0.8

    task = workspace.train(Averaged, lr=1.0)
    weight, mean, expected = 0.0, 0.0, {}
    for step in range(40):
        weight -= 1.0
        decay = min(0.8, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * weight
        expected[step + 1] = mean
    assert task.seen == pytest.approx([expected[step] for step in (10, 20, 30, 40)], rel=1e-5)
    assert task.weight == pytest.approx(mean, rel=1e-5)


def test_gradients_are_clipped_to_the_tasks_norm(workspace: Workspace) -> None:
    class Clipped(SlideTask):
        clip = 0.25

    assert workspace.train(Clipped, lr=0.1).weight == pytest.approx(-40 * 0.1 * 0.25, rel=1e-4)


def test_an_update_can_have_a_norm_of_its_own(workspace: Workspace) -> None:
    class Clipped(SlideTask):
        clip = 0.25

        def updates(self, batch: Batch, step: int) -> Iterator[Update]:
            yield Update("slide", self.network(batch["x"]).sum(), clip=0.5)

    assert workspace.train(Clipped, lr=0.1).weight == pytest.approx(-40 * 0.1 * 0.5, rel=1e-4)


def test_only_the_networks_in_use_keep_their_best_weights(workspace: Workspace) -> None:
    class Judged(BestTask):
        used = ("slide",)

        def __init__(self, settings: TrainSettings) -> None:
            super().__init__(settings)
            self.judge = nn.Linear(1, 1, bias=False)
            nn.init.zeros_(self.judge.weight)
            self.networks["judge"] = self.judge
            self.optimisers["judge"] = torch.optim.SGD(self.judge.parameters(), settings.lr)

        def updates(self, batch: Batch, step: int) -> Iterator[Update]:
            yield from super().updates(batch, step)
            yield Update("judge", self.judge(batch["x"]).sum())

    task = workspace.train(Judged, lr=0.1)
    assert task.weight == pytest.approx(-2), "of the best step"
    assert float(task.judge.weight.detach()) == pytest.approx(-4), "of the last"
    saved = torch.load(workspace.checkpoints()[-1], weights_only=True)
    assert saved["best"].keys() == {"slide"}


def test_an_observer_hears_every_validation_once_and_can_end_the_run(
    workspace: Workspace, tmp_path: Path
) -> None:
    heard: list[tuple[int, float]] = []

    def observe(step: int, scores: dict[str, float]) -> str:
        heard.append((step, round(scores["distance"], 3)))
        return "pruned" if step >= 30 else ""

    outlet = Outlet(tmp_path / "trial-7", observe)
    task = workspace.train(BestTask, lr=0.1, outlet=outlet)
    assert heard == [(10, 1.0), (20, 0.0), (30, 1.0)]
    assert (task.outcome.steps, task.outcome.reason) == (30, "pruned")
    assert (tmp_path / "trial-7/validation.tsv").exists()
    assert not (workspace.folder / "metrics").exists(), "a trial leaves the stage's curves alone"


def test_an_observer_of_a_resumed_run_is_told_what_came_before(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.interrupt("line", 25)
    steps = []
    outlet = Outlet(tmp_path, lambda step, scores: steps.append(step) or "")
    workspace.train("line", outlet=outlet)
    assert steps == [10, 20, 30, 40]


def test_a_task_without_networks_is_handed_back_untrained(workspace: Workspace) -> None:
    class Idle(SlideTask):
        def __init__(self, settings: TrainSettings) -> None:
            self.networks, self.optimisers = {}, {}

    workspace.train(Idle)
    assert (workspace.folder / "metrics/toy").is_dir(), "DVC expects the output"
    assert not workspace.checkpoints()


def test_how_often_one_validates_does_not_change_what_is_learnt(
    make_workspace: Callable[[str], Workspace],
) -> None:
    results = []
    for every in (1, 40):
        space = make_workspace(f"every-{every}")
        results.append(space.result(space.train("pair", validate_every=every)))
    assert results[0]["weights"] == results[1]["weights"]
    assert results[0]["train.tsv"] == results[1]["train.tsv"]


def test_a_machine_without_a_gpu_says_so(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    workspace.set("device: cpu", "device: cuda")
    assert "runtime.device is cuda, but torch finds no GPU" in one_line(workspace, SlideTask)
