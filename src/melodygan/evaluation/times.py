"""The section on how long the training took: empty in the pipeline's output, filled in a copy."""

from collections.abc import Iterator, Mapping

from melodygan.page.markup import duration, safe, table
from melodygan.training.times import Spent


def times_section(times: Mapping[str, Spent | None]) -> Iterator[str]:
    """The time of each model, None where it is not known; without models, where to find it."""
    yield "<h2>How long it took</h2>"
    if not times:
        yield '<p class="soft">Not in this file, which has the same bytes wherever it is made. '
        yield "<code>melodygan report</code> says it on the machine that trained, and "
        yield "<code>melodygan report -o FILE.html</code> writes a copy of this page with it.</p>"
        return
    yield "<p>Training with its validations, over all resumptions.</p>"
    rows = [[safe(model), *_cells(spent)] for model, spent in times.items()]
    yield table(["model", "on", "CPU", "by the clock"], rows, numeric=2)


def _cells(spent: Spent | None) -> list[str]:
    if spent is None:
        return ["not known: made elsewhere", "", ""]
    processes = f", {spent.processes} processes (CPU of one)" if spent.processes > 1 else ""
    return [safe(spent.device + processes), duration(spent.cpu_s), duration(spent.wall_s)]
