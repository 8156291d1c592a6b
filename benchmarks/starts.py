"""CPU seconds that processes need before they do anything, with libraries' bytecode and without.

    uv run python benchmarks/starts.py

For each stage what its script imports, then parts of them, then whole commands; the best of three.
Bytecode goes into a temporary folder, so that the environment's own plays no part and is left as
it is.
"""

import os
import sys
import tempfile
from pathlib import Path

import yaml
from workspace import ROOT, timed

IMPORTS = """
import ast
from pathlib import Path
for node in ast.walk(ast.parse(Path("stages/{stage}.py").read_text())):
    if isinstance(node, ast.Import | ast.ImportFrom):
        exec(compile(ast.Module([node], []), "{stage}", "exec"))
"""
PARTS = {
    "Python": "",
    "torch": "import torch",
    "torch, deterministic, torch.optim.Adam": """
import torch
torch.use_deterministic_algorithms(True)
torch.optim.Adam([torch.ones(1)])
""",
    "the same without its compiler": """
import torch
from melodygan.training.optimisers import Adam
torch.set_deterministic_debug_mode("error")
Adam([torch.ones(1)])
""",
    "a separation worker, up to its model": """
from melodygan.separation.separate import StemSeparator
StemSeparator("demo")
""",
    "a separation worker, with two seconds of noise": """
import numpy as np
from melodygan.separation.separate import StemSeparator
noise = np.random.default_rng(0).normal(0, 0.1, (88200, 2)).astype(np.float32)
StemSeparator("demo").separate(noise)
""",
}
COMMANDS = (
    ["dvc", "status"],
    ["melodygan", "--help"],
    ["melodygan", "doctor"],
    ["uv", "run", "python", "-c", ""],
)


def seconds(command: list[str], bytecode: str, *, written: bool) -> float:
    """CPU seconds of a command whose Python processes keep bytecode in the folder `bytecode`."""
    os.environ["PYTHONPYCACHEPREFIX"] = bytecode
    os.environ["PYTHONDONTWRITEBYTECODE"] = "" if written else "1"
    if written:
        timed(command, ROOT)
    return min(timed(command, ROOT)[1] for _ in range(3))


def main() -> None:
    """Print a Markdown table."""
    os.environ["OMP_NUM_THREADS"] = "1"
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
    rows = {f"imports of stages/{name}.py": IMPORTS.format(stage=name) for name in stages} | PARTS
    calls = {name: [sys.executable, "-c", code] for name, code in rows.items()}
    calls |= {f"`{' '.join(filter(None, command))}`": command for command in COMMANDS}
    print("| CPU s | no bytecode | bytecode |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        empty, full = Path(folder) / "empty", Path(folder) / "full"
        for name, command in calls.items():
            slow = seconds(command, str(empty), written=False)
            fast = seconds(command, str(full), written=True)
            print(f"| {name} | {slow:.2f} | {fast:.2f} |", flush=True)


if __name__ == "__main__":
    main()
