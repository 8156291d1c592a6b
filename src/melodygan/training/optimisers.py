"""torch's optimisers without its compiler, which they would import when they are made.

`torch.optim` hides its methods from torch.compile, and for that imports `torch._dynamo`: some
seconds of CPU time at the start of every training process, for nothing where only networks are
compiled. Below it the methods are plain Python, and those are what the classes here call.
"""

from typing import Any

import torch
from torch.optim import Optimizer


def _unwrapped(function: Any) -> Any:
    """What decorators have been put around."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


class _Plain(Optimizer):
    """The methods as torch wrote them; where a version of torch wraps none, the same ones."""

    add_param_group: Any = _unwrapped(Optimizer.add_param_group)
    load_state_dict: Any = _unwrapped(Optimizer.load_state_dict)
    state_dict: Any = _unwrapped(Optimizer.state_dict)
    zero_grad: Any = _unwrapped(Optimizer.zero_grad)


class Adam(_Plain, torch.optim.Adam):
    """Adam (Kingma and Ba 2015): arguments, state and results of `torch.optim.Adam`."""

    step: Any = torch.no_grad()(_unwrapped(torch.optim.Adam.step))


class AdamW(_Plain, torch.optim.AdamW):
    """AdamW (Loshchilov and Hutter 2019): as `torch.optim.AdamW`."""

    step: Any = torch.no_grad()(_unwrapped(torch.optim.AdamW.step))


class LBFGS(_Plain, torch.optim.LBFGS):
    """L-BFGS (Liu and Nocedal 1989): as `torch.optim.LBFGS`."""
