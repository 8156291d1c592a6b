"""How long a training took: kept beside the outputs, never in them.

Equal inputs give equal bytes on every machine, and no two runs take equally long. So a stage leaves
its time in the side cache, by the digest of the results that it took; `melodygan report` puts the
two together, also for experiments.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import digest, read_json, sha256_file, write_json
from melodygan.pipeline.runtime import cache_root


@dataclass(frozen=True)
class Spent:
    """Seconds of training with its validations, over all resumptions.

    wall_s: by the clock. cpu_s: of the first process, all its threads together. device: cpu, or
    the accelerator's kind. processes: of a data-parallel run.
    """

    wall_s: float
    cpu_s: float
    device: str
    processes: int


def keep(stage: str, spent: Spent) -> None:
    """Remember the time of the results that lie in metrics/ now."""
    path = _place(stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(spent))


def kept(stage: str) -> Spent | None:
    """The time of the results that lie in metrics/ now; None if that is not known here.

    They may come from another machine, from DVC's cache, or from before this was kept.
    """
    try:
        return Spent(**read_json(_place(stage)))
    except (UserError, FileNotFoundError, TypeError):
        return None  # a side cache may be cleared or damaged at any time


def _place(stage: str) -> Path:
    files = Path(f"metrics/{stage}.json"), Path("metrics", stage, "run.json")
    return cache_root() / "times" / stage / f"{digest([sha256_file(file) for file in files])}.json"
