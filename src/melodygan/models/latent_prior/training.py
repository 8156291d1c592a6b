"""The task of the stage: that of the chosen kind."""

from melodygan.models.latent_prior.autoregressive.training import AutoregressiveTask
from melodygan.models.latent_prior.config import LatentPriorParams
from melodygan.models.latent_prior.flow.training import FlowTask
from melodygan.models.latent_prior.task import PriorTask
from melodygan.training.data import Data
from melodygan.training.settings import TrainSettings

TASKS: dict[str, type[PriorTask]] = {"autoregressive": AutoregressiveTask, "flow": FlowTask}


class LatentPriorTask(PriorTask):
    """What `train_stage` is given; `make` returns the task of the kind."""

    params_type = LatentPriorParams

    @classmethod
    def make(cls, params: LatentPriorParams, data: Data) -> PriorTask:  # type: ignore[override]
        """The task of `params.kind`."""
        return TASKS[params.kind](params, data)

    @classmethod
    def settings(cls, params: LatentPriorParams) -> TrainSettings:
        """Those of the kind."""
        own: TrainSettings = getattr(params, params.kind)
        return own
