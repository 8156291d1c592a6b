"""The task of the stage: that of the chosen kind."""

from typing import Any

from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.hifigan.training import HiFiGANTask
from melodygan.models.vocoder.kinds import NETWORKS
from melodygan.models.vocoder.magnet.training import MagNetTask
from melodygan.models.vocoder.melgan.training import MelGANTask
from melodygan.models.vocoder.task import IdleTask, KindTask
from melodygan.models.vocoder.vocoder import own_params
from melodygan.models.vocoder.vocos.training import VocosTask
from melodygan.training.data import Data
from melodygan.training.settings import TrainSettings

# how a kind is trained; one that is not here learns nothing
TASKS: dict[str, type[KindTask]] = {
    "magnet": MagNetTask,
    "vocos": VocosTask,
    "melgan": MelGANTask,
    "hifigan": HiFiGANTask,
}


class VocoderTask(KindTask):
    """What `train_stage` is given; `make` returns the task of the kind."""

    params_type = VocoderParams

    @classmethod
    def make(cls, params: VocoderParams, data: Data) -> KindTask:  # type: ignore[override]
        """The task of `params.kind`; an idle one for a kind that learns nothing."""
        network = NETWORKS[params.kind](params, data.audio)
        task = TASKS.get(params.kind, IdleTask)(params, data, network)
        if not task.idle and cls.settings(params) is None:
            task.idle = f"nothing to train: vocoder.{params.kind}.steps is 0"
        return task

    @classmethod
    def settings(cls, params: VocoderParams) -> TrainSettings | None:
        """Those of the kind; None for one that learns nothing, or that is taken as it starts."""
        own: Any = own_params(params)
        return own if isinstance(own, TrainSettings) and own.steps else None
