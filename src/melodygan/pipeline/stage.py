"""What turns a function into a pipeline stage: the checkout's own code, the guard, clean errors."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from melodygan.pipeline.errors import UserError, mendable
from melodygan.pipeline.files import digest
from melodygan.pipeline.guard import CODE_FOLDERS, Guard, file_digest_of_inputs, stage_table
from melodygan.pipeline.process import die_with_parent, enter_checkout


class Stage:
    """A running stage: its name, its guard, and the fingerprint that its checkpoints carry."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.guard = Guard(name)
        self._afterwards: list[Callable[[], None]] = []

    def when_done(self, action: Callable[[], None]) -> None:
        """Have `run` call `action` once the outputs are written and the guard agrees to them."""
        self._afterwards.append(action)

    def succeed(self) -> None:
        """End the stage: check the guard, then do what `when_done` was given."""
        self.guard.check()
        for action in self._afterwards:
            action()

    def fingerprint(self, params: Any) -> str:
        """Digest of everything a result may depend on: parameters, input data, and code.

        params: a JSON-able value. The hashes of inputs made by other stages come from dvc.lock,
        which DVC brings up to date before it starts a stage; without DVC the files are read.
        """
        return digest({"params": params, "inputs": self._inputs(), "code": self.guard.code})

    def _inputs(self) -> Mapping[str, str]:
        deps = stage_table(self.name).get("deps", [])
        data = [dep for dep in deps if Path(dep).parts[0] not in CODE_FOLDERS]
        lock = Path("dvc.lock")
        known: dict[str, str] = {}
        if "DVC_STAGE" in os.environ and lock.exists():
            for entry in yaml.safe_load(lock.read_text("utf-8"))["stages"].values():
                known.update({out["path"]: out["md5"] for out in entry.get("outs", [])})
        return {d: known.get(d) or file_digest_of_inputs([Path(d)]) for d in data}


def run(main: Callable[[Stage], None]) -> NoReturn:
    """Run `main` as the stage that DVC named (else: that the script is named after), and exit.

    Import the stage's own modules inside `main`: the guard must hash code before it is loaded.
    """
    name = os.environ.get("DVC_STAGE") or Path(sys.argv[0]).stem
    try:
        enter_checkout()
        die_with_parent()
        stage = Stage(name)
        main(stage)
        stage.succeed()
    except (UserError, OSError) as error:
        line = mendable(error) if isinstance(error, OSError) else error
        if line is None:
            raise
        sys.stdout.flush()
        sys.exit(f"{name}: {line}")
    sys.exit(0)
