"""A child process that trains one trial after the other, and keeps in memory what they share."""

import sys
import time
import traceback
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import digest
from melodygan.pipeline.params import parse, read_params
from melodygan.pipeline.process import die_with_parent, keep_bytecode
from melodygan.pipeline.runtime import Runtime, cache_root
from melodygan.pipeline.stage import Stage
from melodygan.training.data import Data
from melodygan.training.loop import train
from melodygan.training.outlet import Outlet
from melodygan.training.settings import TrainSettings
from melodygan.training.task import Task
from melodygan.tuning.jobs import Ended, Failed, Job, Message, Validation
from melodygan.tuning.part import Part
from melodygan.tuning.space import replaced
from melodygan.tuning.stages import task_of

Observe = Callable[[int, dict[str, float]], str]


class TrialStage(Stage):
    """A stage whose runs are trials: their checkpoints are apart from those of the stage's own.

    base: fingerprint of inputs and code, which are read once.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.base = super().fingerprint(None)
        self.job: Job | None = None
        self._folders: list[Path] = []

    def fingerprint(self, params: Any) -> str:
        """That of one trial, whoever runs it; never that of a run of the stage itself."""
        assert self.job
        owner = [self.job.study, self.job.key]
        made = digest({"trial": owner, "base": self.base, "params": params})
        self._folders.append(cache_root() / "checkpoints" / self.name / made)
        return made

    def when_done(self, action: Callable[[], None]) -> None:
        """A trial's checkpoints are not kept as a finished run of the stage; see `forget`."""

    def forget(self) -> None:
        """Remove what trials that are over have left behind."""
        if self.job:
            rmtree(trial_folder(self.job), ignore_errors=True)
        while self._folders:
            rmtree(self._folders.pop(), ignore_errors=True)


class Trials:
    """Runs jobs of one stage, in the checkout's root folder."""

    def __init__(self, stage: str) -> None:
        self.stage = TrialStage(stage)  # hashes code before it is loaded
        self.task_type: type[Task] = task_of(stage)
        self.group: dict[str, Any] = read_params()[stage]
        self.data = Data(stage)
        # one thread, since trials run side by side and must not depend on how many do
        self.runtime = replace(
            Runtime.read(), threads=1, processes=1, dvclive=False, tensorboard=False
        )
        self._began: float | None = None  # CPU s at which the training of the present run did

    def run(self, job: Job, observe: Observe) -> Ended | Failed:
        """Train; the weights are not kept. Nothing below models/ or metrics/ is written."""
        self.stage.job, self._began = job, None
        try:
            params: Any = parse(
                self.task_type.params_type, replaced(self.group, job.values), self.name
            )
            settings = self.task_type.settings(params)
            if settings is None:
                return Failed("with these values there is nothing to train", early=True)
            # samples change nothing of what is learnt, and nobody would look at a trial's
            settings = replace(settings, sample_every=0)
            return self._train(job, params, settings, observe)
        except UserError as error:
            return Failed(str(error), early=self._began is None)
        except (torch.OutOfMemoryError, MemoryError) as error:
            return Failed(f"out of memory: {error}".splitlines()[0], early=self._began is None)
        except ConnectionError:
            raise  # the supervisor is gone
        except Exception as error:
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            return Failed(said, early=self._began is None, trace=traceback.format_exc())

    @property
    def name(self) -> str:
        """Of the stage."""
        return self.stage.name

    def _train(self, job: Job, params: Any, settings: TrainSettings, observe: Observe) -> Ended:
        data = self._data(job)
        rows: dict[int, dict[str, float]] = {}

        def make() -> Task:
            task = self.task_type.make(params, data)
            if not task.networks:
                raise UserError(task.idle or f"stage {self.name} has nothing to train")
            self._began = time.process_time()
            return task

        def heard(step: int, scores: dict[str, float]) -> str:
            rows[step] = scores
            return observe(step, scores)

        outlet = Outlet(trial_folder(job), heard)
        task = train(self.stage, settings, data.seed, make, outlet, self.runtime)
        assert self._began is not None
        cpu = time.process_time() - self._began
        end = task.outcome
        step = end.best_step if task.score else max(rows)
        tracks = data.features.tracks("train")
        minutes = sum(len(track.mel) for track in tracks) / data.audio.frame_rate / 60
        return Ended(rows[step], step, end.steps, cpu, minutes, end.warnings)

    def _data(self, job: Job) -> Data:
        """What the trials of this process share, with the seed and the share of this one."""
        data = self.data
        _ = data.features  # opened once for all
        if job.seed is not None and job.seed != data.seed:
            data = copy(data)
            data.seed, data.made = job.seed, {}
        return data if job.share == 1 else Part(data, job.share)


def trial_folder(job: Job) -> Path:
    """Where a trial writes its curves while it runs."""
    return cache_root() / "tune" / job.study / job.key


def main(descriptor: int, parent: int) -> None:
    """Do a supervisor's jobs until it hangs up. parent: the supervisor's process id."""
    die_with_parent(parent)
    keep_bytecode()
    serve(Connection(descriptor))


def serve(connection: Connection) -> None:
    """Do the jobs that come through a connection, in the checkout's root folder."""
    with connection as pipe:
        try:
            stage, base = pipe.recv()
            trials = Trials(stage)
            if trials.stage.base != base:
                raise UserError(
                    f"code or inputs of stage {stage} changed during the search: run the same "
                    "command again, which starts a new one"
                )

            def observe(step: int, scores: dict[str, float]) -> str:
                pipe.send(Validation(step, scores))
                answer: str = pipe.recv()
                return answer

            while True:
                job = pipe.recv()
                trials.stage.forget()  # the one before is written down by now
                if job is None:
                    return
                message: Message = trials.run(job, observe)
                pipe.send(message)
        except UserError as error:
            pipe.send(Failed(str(error), fatal=True))
        except (EOFError, ConnectionError):
            return  # the supervisor is gone


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
