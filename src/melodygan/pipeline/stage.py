"""What turns a function into a pipeline stage: the checkout's own code, the guard, clean errors."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from melodygan.pipeline.errors import UserError, mendable
from melodygan.pipeline.files import digest
from melodygan.pipeline.guard import Guard, files_below, out_paths, require_inside
from melodygan.pipeline.orphans import end_with_dvc
from melodygan.pipeline.packages import versions_of_stage
from melodygan.pipeline.process import enter_checkout
from melodygan.pipeline.recorded import sound_md5s
from melodygan.pipeline.usage import hold

_PATIENCE = 10.0  # s in which a stage that was killed ends


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

    def inputs(self) -> dict[str, str]:
        """MD5 of every input file that is no code, by path.

        All are read (some 0.6 GB/s): dvc.lock says what a stage made last, not what lies there now.
        Raises UserError for files that came damaged out of DVC's cache.
        """
        files = [file for path in self.guard.data for file in files_below(path)]
        return {path.as_posix(): md5 for path, md5 in sound_md5s(files).items()}

    def fingerprint(self, params: Any) -> str:
        """Digest of everything a result may depend on: parameters, input data, code, packages.

        params: a JSON-able value. Raises UserError as `inputs` does.
        """
        inputs = self.inputs()
        scripts = [path.as_posix() for path in self.guard.paths if path.suffix == ".py"]
        packages = versions_of_stage(path for path in scripts if path.startswith("stages/"))
        parts = {"inputs": inputs, "code": self.guard.code, "packages": packages}
        return digest({"params": params, **parts})


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Keep other processes from running the stage in this checkout, whose outputs they would mix.

    DVC sees to that among its own; this is for scripts started by hand. One that was killed may
    take a moment to end. The processes of a data-parallel training are one: the first holds it.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    for _ in range(round(10 * _PATIENCE)):
        if lock := hold(Path(".dvc/tmp/stages") / name):
            with lock:
                yield
            return
        time.sleep(0.1)
    raise UserError("another process runs this stage here: wait for it, or stop it")


def run(main: Callable[[Stage], None]) -> NoReturn:
    """Run `main` as the stage that DVC named (else: that the script is named after), and exit.

    Import the stage's own modules inside `main`: the guard must hash code before it is loaded.
    """
    name = os.environ.get("DVC_STAGE") or Path(sys.argv[0]).stem
    try:
        enter_checkout()
        require_inside()
        end_with_dvc(out_paths(name))
        with _alone(name):
            stage = Stage(name)
            main(stage)
            stage.succeed()
    except Exception as error:
        line = mendable(error)
        if line is None:
            raise
        sys.stdout.flush()
        sys.exit(f"{name}: {line}")
    sys.exit(0)
