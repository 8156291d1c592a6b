"""Where training starts (`vocoder.init`): at random weights, the shipped ones, or a folder's."""

from pathlib import Path
from typing import Any

from torch import nn

from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.model import load
from melodygan.models.vocoder.vocoder import own_params
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import read_json
from melodygan.pipeline.params import parse
from melodygan.training.data import Data

SHIPPED = Path(__file__).with_name("shipped")
SHAPE = ("channels", "blocks", "rates", "block")  # what of a kind's settings shapes its network


def begin(network: nn.Module, params: VocoderParams, data: Data) -> Path | None:
    """Fill an untrained network with the weights that `params.init` names.

    Returns the folder that they are from; None for `scratch`. shipped: those that come with the
    package, made by scripts/train_shipped_vocoder.py; where they are of another mel, kind or size,
    that is said in a line and the network stays as it is. Any other name is a vocoder's folder
    among the stage's deps, and has to fit. Raises UserError where it does not, is no dependency,
    or is broken.
    """
    if params.init == "scratch":
        return None
    if params.init != "shipped":
        folder = data.declared(params.init)
        vocoder = load(folder, data.audio)
        if apart := _apart(_shape(vocoder.params), _shape(params)):
            raise UserError(f"vocoder.init: {folder} is another network: {apart}")
    else:
        config = read_json(SHIPPED / "config.json")
        stored = parse(VocoderParams, config["params"], "params", str(SHIPPED / "config.json"))
        there = config["audio"] | _shape(stored)
        if apart := _apart(there, data.audio.as_dict() | _shape(params)):
            print(f"{data.stage}: starts from scratch, for what is shipped does not fit: {apart}")
            return None
        folder, vocoder = SHIPPED, load(SHIPPED, data.audio)
    network.load_state_dict(vocoder.network.state_dict())
    return folder


def _shape(params: VocoderParams) -> dict[str, Any]:
    own = vars(own_params(params))
    return {"kind": params.kind} | {key: own[key] for key in SHAPE if key in own}


def _apart(theirs: dict[str, Any], mine: dict[str, Any]) -> str:
    """Where the first one differs, in words; nothing where the second has all of it."""
    keys = [key for key in theirs if mine.get(key) != theirs[key]]
    there, here = (", ".join(f"{key}={of.get(key)}" for key in keys) for of in (theirs, mine))
    return f"it has {there}, params.yaml has {here}" if keys else ""
