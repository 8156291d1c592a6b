"""The project's optimisers: torch's own, to the last bit, without the compiler."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from melodygan.training import optimisers

PAIRS = [(optimisers.Adam, torch.optim.Adam), (optimisers.AdamW, torch.optim.AdamW)]
SETTINGS = {"lr": 1e-2, "betas": (0.5, 0.99), "weight_decay": 0.1}
STEPS = 50

Make = Callable[..., torch.optim.Optimizer]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(7, 16), nn.Tanh(), nn.Linear(16, 3))


def advance(net: nn.Module, optimiser: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        x = torch.randn(8, 7, generator=torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        (net(x) - x[:, :3]).square().mean().backward()
        optimiser.step()


def same(left: Any, right: Any) -> bool:
    """Whether two state dicts agree in structure, values and bits."""
    if isinstance(left, Tensor):
        return left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("ours", "torchs"), PAIRS)
def test_fifty_steps_give_the_bits_of_torchs_own(ours: Make, torchs: Make, fused: bool) -> None:
    nets = [network(), network()]
    made = [
        make(n.parameters(), fused=fused, **SETTINGS)
        for n, make in zip(nets, (ours, torchs), strict=True)
    ]
    for net, optimiser in zip(nets, made, strict=True):
        advance(net, optimiser, range(STEPS))
    assert same(nets[0].state_dict(), nets[1].state_dict())
    assert same(made[0].state_dict(), made[1].state_dict())
    assert not same(nets[0].state_dict(), network().state_dict())


@pytest.mark.parametrize(("ours", "torchs"), PAIRS)
def test_a_run_goes_on_from_torchs_state_and_torch_from_ours(ours: Make, torchs: Make) -> None:
    whole = network()
    advance(whole, torchs(whole.parameters(), fused=True, **SETTINGS), range(STEPS))
    for first, second in ((ours, torchs), (torchs, ours)):
        net = network()
        before = first(net.parameters(), fused=True, **SETTINGS)
        advance(net, before, range(STEPS // 2))
        after = second(net.parameters(), fused=True, lr=1.0)
        after.load_state_dict(before.state_dict())
        advance(net, after, range(STEPS // 2, STEPS))
        assert same(net.state_dict(), whole.state_dict())


def test_lbfgs_gives_the_bits_of_torchs_own() -> None:
    x = torch.randn(40, 7, generator=torch.Generator().manual_seed(0))
    nets = [network(), network()]
    for net, make in zip(nets, (optimisers.LBFGS, torch.optim.LBFGS), strict=True):
        solver = make(net.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

        def loss(net: nn.Module = net, solver: torch.optim.Optimizer = solver) -> Tensor:
            solver.zero_grad()
            value = (net(x) - x[:, :3]).square().mean()
            value.backward()
            return value

        first = solver.step(loss)
        assert loss() < 0.5 * first
    assert same(nets[0].state_dict(), nets[1].state_dict())


def test_gradients_are_on_again_after_a_step_and_parameters_stay_leaves() -> None:
    net = network()
    advance(net, optimisers.Adam(net.parameters(), **SETTINGS), range(2))
    assert torch.is_grad_enabled()
    assert all(p.is_leaf and p.requires_grad for p in net.parameters())


SCRIPT = """
import sys, torch
{imports}
for make in ({classes}):
    p = torch.nn.Parameter(torch.ones(3))
    optimiser = make([p], lr=0.1)
    def loss():
        optimiser.zero_grad()
        p.square().sum().backward()
        return p.square().sum()
    for _ in range(2):
        optimiser.step(loss)
    optimiser.load_state_dict(optimiser.state_dict())
print("torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize(
    ("imports", "classes", "loaded"),
    [
        ("from melodygan.training import optimisers as o", "o.Adam, o.AdamW, o.LBFGS", "False"),
        ("", "torch.optim.Adam,", "True"),  # or the module is no longer needed
    ],
)
def test_making_stepping_saving_and_loading_leave_torchs_compiler_out(
    imports: str, classes: str, loaded: str
) -> None:
    script = SCRIPT.format(imports=imports, classes=classes)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (loaded, "")
