"""`melodygan report`: how long each training took, and the page of results with it."""

from pathlib import Path

from melodygan.evaluation.times import times_section
from melodygan.page.markup import duration
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import write_atomic
from melodygan.training.times import Spent, kept

PAGE = Path("metrics/report.html")


def report(out: Path | None) -> list[str]:
    """Lines for a terminal; with `out`, also write a copy of metrics/report.html with the times.

    The page itself, being an output of the pipeline, has the same bytes wherever it is made.
    Raises UserError if there is no page, if it is not of this version, or if `out` is the page.
    """
    models = sorted(path.parent.name for path in Path("metrics").glob("*/run.json"))
    times = {model: kept(model) for model in models}
    if out is not None:
        _write(out, times)
    lines = [f"{model}: {_line(spent)}" for model, spent in times.items()]
    return lines or ["no training has ended here yet: run `dvc repro`"]


def _line(spent: Spent | None) -> str:
    if spent is None:
        return "not known: its results were made elsewhere, or before times were kept"
    return f"{duration(spent.wall_s)} by the clock, {duration(spent.cpu_s)} of CPU"


def _write(out: Path, times: dict[str, Spent | None]) -> None:
    if not PAGE.exists():
        raise UserError(f"no {PAGE}: run `dvc repro`")
    if out.resolve() == PAGE.resolve():
        raise UserError(f"{out} is an output of the pipeline: name another file")
    page = PAGE.read_text("utf-8")
    empty = "\n".join(times_section({}))
    if page.count(empty) != 1:
        raise UserError(f"{PAGE} is not of this version: run `dvc repro evaluate`")
    write_atomic(out, page.replace(empty, "\n".join(times_section(times))).encode())
