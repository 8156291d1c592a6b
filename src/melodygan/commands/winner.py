"""What becomes of the best values: they go into params.yaml, or into an experiment of DVC's."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from melodygan.commands.preset import merge_params
from melodygan.pipeline.errors import UserError
from melodygan.tuning.space import FILE, Values


def adopt(stage: str, values: Values, params: Path = Path("params.yaml")) -> list[str]:
    """Write the values into the stage's group, comments kept; one line for each that changed.

    Raises UserError, with `params` as it was, where they do not go together with other groups.
    """
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *above, name = [stage, *key.split(".")]
        place = nested
        for step in above:
            place = place.setdefault(step, {})
        place[name] = value
    return merge_params(nested, params, FILE)


def experiment_command(stage: str, values: Values, message: str) -> list[str]:
    """`dvc exp run` of the stage with the values."""
    changes = [f"{stage}.{key}={_text(value)}" for key, value in values.items()]
    pairs = [word for change in changes for word in ("-S", change)]
    return ["dvc", "exp", "run", *pairs, "-m", message, stage]


def experiment(stage: str, values: Values, message: str) -> None:
    """Run it. Raises UserError where it fails."""
    command = experiment_command(stage, values, message)
    # the stages' `python` must be this one, even if nobody activated the environment
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run([sys.executable, "-m", *command], env=os.environ | {"PATH": path})
    if done.returncode:
        raise UserError(f"`{' '.join(command)}` failed, see above: mend it and run it by hand")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
