"""The project's logger: training curves as TSV tables that DVC plots and people read."""

from pathlib import Path

Row = dict[str, float]


class Curves:
    """Writes `<folder>/<name>.tsv`, one row per logged step, columns fixed by the first row.

    Rows survive in checkpoints, so a resumed run writes the same files as an uninterrupted one.
    Times of day and speeds are left out for the same reason.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, list[Row]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, step: int, values: Row) -> None:
        """Append one row to table `name` and to its file."""
        row = {"step": float(step), **values}
        rows = self.rows.setdefault(name, [])
        rows.append(row)
        with (self.folder / f"{name}.tsv").open("w" if len(rows) == 1 else "a") as file:
            if len(rows) == 1:
                file.write("\t".join(row) + "\n")
            file.write(self._line(rows[0], row))

    def restore(self, rows: dict[str, list[Row]]) -> None:
        """Replace everything by the rows of a checkpoint."""
        self.rows = {}
        for name, table in rows.items():
            for row in table:
                values = {k: v for k, v in row.items() if k != "step"}
                self.add(name, int(row["step"]), values)

    @staticmethod
    def _line(first: Row, row: Row) -> str:
        values = [f"{row[column]:.6g}" for column in first if column != "step"]
        return "\t".join([f"{row['step']:.0f}", *values]) + "\n"
