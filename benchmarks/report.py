"""The scores of a finished run as one Markdown table.

python benchmarks/report.py [METRICS_FOLDER]
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def rows(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(score, its value and anchors) for every score below `value`."""
    if isinstance(value, dict) and "value" in value:
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from rows(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, int | float):
        yield path, {"value": value}


def shown(value: Any) -> str:
    """A number, or an interval."""
    return (
        "to".join(f" {v:.3g} " for v in value).strip()
        if isinstance(value, list)
        else f"{value:.3g}"
    )


def main() -> None:
    """Print the scores of the training stages, then those of the generated audio."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "metrics")
    trained = sorted(path.parent for path in folder.glob("*/run.json"))
    files = {path.name: path.with_suffix(".json") for path in trained}
    print("| score | value | anchors |\n|---|---|---|")
    for name, file in {**files, "": folder / "evaluate/scores.json"}.items():
        for score, of in rows(json.loads(file.read_text()), name):
            beside = {k: v for k, v in of.items() if k != "value" and v is not None}
            left = ("_interval", "beside_")  # what verdicts go by
            kept = {k: v for k, v in beside.items() if not k.endswith(left[0]) and left[1] not in k}
            anchors = ", ".join(
                f"{k.replace('interval', '90 %')} {shown(v)}" for k, v in kept.items()
            )
            print(f"| {score} | {of['value']:.3g} | {anchors} |")


if __name__ == "__main__":
    main()
