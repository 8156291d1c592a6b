"""What a model supplies to be trained: its networks, its losses in update order, its scores."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from melodygan.audio.mel import MelConfig
from melodygan.training.data import Data
from melodygan.training.processes import Processes
from melodygan.training.settings import TrainSettings
from melodygan.training.times import Spent
from melodygan.training.verdict import Claim, Outcome

Batch = dict[str, Tensor]
Float = NDArray[np.float32]


@dataclass
class Update:
    """One optimiser step: minimise `loss` with the optimiser named `optimiser`.

    logs: further scalars to record, such as the loss's parts; detached by the loop. clip: largest
    norm of the gradient of this optimiser's weights; None stands for the task's `clip`.
    """

    optimiser: str
    loss: Tensor
    logs: dict[str, Tensor] = field(default_factory=dict)
    clip: float | None = None


@dataclass(frozen=True)
class Limit:
    """A number below which a run has gone wrong.

    key: a column of the curve `train` or `validation`. rows: so many rows in a row below `low`
    count. meaning, advice: what that says, and what to change, in a few words each.
    """

    curve: str
    key: str
    low: float
    rows: int
    meaning: str
    advice: str


class Trained(Protocol):
    """What a task hands out: the model as other stages load it."""

    def save(self, folder: Path, /) -> None:
        """Write the model's folder, atomically."""


class Task(ABC):
    """A model in training. The loop in `training/loop.py` drives it and owns everything else.

    params_type: what the stage's group of params.yaml is read into; it is, or contains (see
    `settings`), TrainSettings.
    networks: modules by name; their parameters and buffers are checkpointed, and the loop moves
    them to the device. optimisers: by name, over those networks. averaged: names of networks of
    which an exponential moving average is kept; validation and the final weights use the average.
    used: names of the networks that the finished model needs, of which the best weights are kept;
    None: all of them. helpers: modules that are used but not trained; moved to the device too.
    score: the key of `validate()` whose lowest value marks the best weights; None keeps the last.
    clip: largest gradient norm per update, or None. limits: signs of a run gone wrong. compiled:
    networks that torch.compile may take (none that is differentiated twice). channels_last: whether
    the weights of 2-D convolutions lie with the channels innermost, which is faster where no
    instance normalisation follows. audio: the mel convention of the samples. idle: why there is
    nothing to train, for a task without networks. outcome, spent, processes: set by the loop.
    """

    params_type: ClassVar[type]
    networks: dict[str, nn.Module]
    optimisers: dict[str, Optimizer]
    averaged: tuple[str, ...] = ()
    average_decay: float = 0.999
    used: tuple[str, ...] | None = None
    helpers: tuple[nn.Module, ...] = ()
    score: str | None = None
    clip: float | None = None
    limits: tuple[Limit, ...] = ()
    compiled: tuple[str, ...] = ()
    channels_last: bool = False
    idle: str = ""
    audio: MelConfig
    outcome: Outcome
    spent: Spent
    processes: Processes = Processes()

    @classmethod
    def make(cls, params: Any, data: Data) -> Self:
        """The task of a stage: `params` of type `params_type`, and all that it may read."""
        return cls(params, data)  # type: ignore[call-arg]

    @classmethod
    def settings(cls, params: Any) -> TrainSettings | None:
        """The settings of the loop among the task's parameters; None where nothing is trained."""
        return params

    @abstractmethod
    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw one training batch; `rng` is all the randomness it may use.

        All tensors have the batch as first axis, along which the loop deals them out to the
        processes of a data-parallel run: noise that differs from item to item belongs here. May
        be called in a thread beside the training step.
        """

    @abstractmethod
    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """Yield the step's updates in order.

        After each yield the loop does backward, clipping and the optimiser step, so code after a
        yield sees the updated network. Losses are means over the batch.
        """

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Scores on held-out validation tracks; networks are in eval mode, without gradients."""

    @abstractmethod
    def trained(self) -> Trained:
        """The model in its present state."""

    @abstractmethod
    def test(self) -> dict[str, Any]:
        """Scores on test tracks, the content of metrics/<stage>.json; called once, at the end."""

    def claim(self, scores: dict[str, Any]) -> Claim | None:
        """The one score among those of `test` that the stage's verdict rests on."""
        return None

    def besides(self, scores: dict[str, Any]) -> Sequence[Claim]:
        """What else must hold of the scores of `test`, for the verdict to say that it works."""
        return ()

    def lr_factor(self, progress: float, optimiser: str) -> float:
        """Multiplier of one optimiser's learning rates at `progress` in [0, 1).

        A run of a task that does not override this can be prolonged by a larger `steps`.
        """
        return 1.0

    def samples(self) -> dict[str, Float]:
        """What to look at and to hear, by name; called like `validate`.

        Log-mels (frames, n_mels) in ln units, or sounds (samples,) in [-1, 1].
        """
        return {}

    def state(self) -> dict[str, Any]:
        """State beyond networks and optimisers (an image pool, say): tensors and plain values."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:  # noqa: B027 - a default, not abstract
        """Restore what `state` gave."""


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Record a forward pass that needs no gradients of these networks' weights.

    A generator's loss goes through the discriminator, whose own gradients would be computed and
    thrown away. Gradients to its input are not affected.
    """
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
