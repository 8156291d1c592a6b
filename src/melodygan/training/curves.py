"""The project's logger: training curves as TSV tables that DVC plots and people read.

DVCLive and TensorBoard stand behind it as further sinks, if `runtime` asks for them.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import write_atomic
from melodygan.pipeline.runtime import Runtime, cache_root

Row = dict[str, float]


class Sink(Protocol):
    """Somewhere else that shows a run in progress; no result depends on it."""

    def add(self, name: str, step: int, values: Row) -> None:
        """Take one row of table `name`."""

    def close(self) -> None:
        """The run has ended."""


class Curves:
    """Writes `<folder>/<name>.tsv`, one row per logged step.

    Columns stand in the order in which they first appear; a row without one has an empty cell. A
    new column, of a loss that joins later, rewrites the table.
    rows: by table; the caller keeps them in its checkpoints, so that a resumed run writes the
    same files as an uninterrupted one. Times of day and speeds are left out for the same reason.
    """

    def __init__(
        self,
        folder: Path,
        rows: dict[str, list[Row]] | None = None,
        sinks: Sequence[Sink] = (),
    ) -> None:
        self.folder, self.sinks = folder, sinks
        self.rows = {} if rows is None else rows
        folder.mkdir(parents=True, exist_ok=True)
        self._columns: dict[str, dict[str, None]] = {}
        for name, table in self.rows.items():
            self._columns[name] = dict.fromkeys(key for row in table for key in row)
            self._rewrite(name)

    def add(self, name: str, step: int, values: Row) -> None:
        """Append one row to table `name` and to its file."""
        row = {"step": float(step), **values}
        self.rows.setdefault(name, []).append(row)
        columns = self._columns.setdefault(name, {})
        if row.keys() - columns.keys():
            columns.update(dict.fromkeys(row))
            self._rewrite(name)
        else:
            with self._file(name).open("a") as file:
                file.write(_line(columns, row))
        for sink in self.sinks:
            sink.add(name, step, values)

    def close(self) -> None:
        """End the sinks."""
        for sink in self.sinks:
            sink.close()

    def _rewrite(self, name: str) -> None:
        columns = self._columns[name]
        lines = [_line(columns, row) for row in self.rows[name]]
        write_atomic(self._file(name), ("\t".join(columns) + "\n" + "".join(lines)).encode())

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.tsv"


def _line(columns: Iterable[str], row: Row) -> str:
    cells = [f"{row[column]:.6g}" if column in row else "" for column in columns]
    return "\t".join([f"{row['step']:.0f}", *cells[1:]]) + "\n"


def sinks(stage: str, runtime: Runtime, resumed: bool) -> list[Sink]:
    """The sinks that `runtime` asks for. Raises UserError for one that is not installed."""
    chosen: list[Sink] = []
    if runtime.dvclive:
        chosen.append(_DVCLive(stage))
    if runtime.tensorboard:
        chosen.append(_TensorBoard(stage, resumed))
    return chosen


class _DVCLive:
    """live/STAGE/metrics.json, the latest row of each table: `dvc exp show` reads it at any time.

    Without DVCLive's own history, which would repeat rows after a resume; the tables have it all.
    """

    def __init__(self, stage: str) -> None:
        from dvclive import Live

        # by default it would rewrite dvc.yaml and save an experiment of its own; with `resume` it
        # would read the file, which a kill may have cut off
        self._live: Any = Live(f"live/{stage}", dvcyaml=None, save_dvc_exp=False, report=None)

    def add(self, name: str, step: int, values: Row) -> None:
        self._live.step = step
        for key, value in values.items():
            self._live.log_metric(f"{name}/{key}", value, plot=False)
        self._live.make_summary()

    def close(self) -> None:
        self._live.end()


class _TensorBoard:
    """Event files in .cache/tensorboard/STAGE; they carry times, so they are no output."""

    def __init__(self, stage: str, resumed: bool) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UserError(
                "runtime.tensorboard needs its package: `uv sync --extra tensorboard`"
            ) from None
        folder = str(cache_root() / "tensorboard" / stage)
        # from step 0 a run replaces what an older one drew
        self._writer = SummaryWriter(folder, purge_step=None if resumed else 0)

    def add(self, name: str, step: int, values: Row) -> None:
        for key, value in values.items():
            self._writer.add_scalar(f"{name}/{key}", value, step)

    def close(self) -> None:
        self._writer.close()
