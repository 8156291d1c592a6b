"""The scores of a finished run as one Markdown table.

python benchmarks/report.py [METRICS_FOLDER]
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def rows(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, float]]]:
    """(score, its value and anchors) for every score below `value`."""
    if not isinstance(value, dict):
        yield path, {"value": value}
    elif "value" in value:
        yield path, value
    else:
        for key, inner in value.items():
            yield from rows(inner, f"{path}.{key}" if path else key)


def main() -> None:
    """Print the table of evaluate.json."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "metrics")
    print("| score | value | anchors |\n|---|---|---|")
    for name, numbers in rows(json.loads((folder / "evaluate.json").read_text())):
        anchors = ", ".join(f"{k} {v:.3g}" for k, v in numbers.items() if k != "value")
        print(f"| {name} | {numbers['value']:.3g} | {anchors} |")


if __name__ == "__main__":
    main()
