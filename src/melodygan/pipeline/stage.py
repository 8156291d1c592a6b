"""What turns a function into a pipeline stage: the checkout's own code, the guard, clean errors."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from melodygan.pipeline.errors import UserError, mendable
from melodygan.pipeline.files import digest
from melodygan.pipeline.guard import Guard, hash_files, out_paths, require_inside
from melodygan.pipeline.orphans import end_with_dvc
from melodygan.pipeline.process import enter_checkout


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

        params: a JSON-able value. All input files are read (some 1.5 GB/s): dvc.lock says what a
        stage made last, not what lies there now.
        """
        inputs = {
            file: sha256 for path in self.guard.data for file, sha256 in hash_files([path]).items()
        }
        return digest({"params": params, "inputs": inputs, "code": self.guard.code})


def run(main: Callable[[Stage], None]) -> NoReturn:
    """Run `main` as the stage that DVC named (else: that the script is named after), and exit.

    Import the stage's own modules inside `main`: the guard must hash code before it is loaded.
    """
    name = os.environ.get("DVC_STAGE") or Path(sys.argv[0]).stem
    try:
        enter_checkout()
        require_inside()
        end_with_dvc(out_paths(name))
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
