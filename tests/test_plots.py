"""`dvc plots` without a network: the page carries what it needs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / ".dvc" / "plots-offline.html"


def dvc(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def page(tmp_path: Path) -> str:
    """What `dvc plots show` makes of one curve."""
    dvc(tmp_path, "init", "-q", "--no-scm")
    shutil.copy(TEMPLATE, tmp_path / ".dvc")
    dvc(tmp_path, "config", "core.analytics", "false")
    dvc(tmp_path, "config", "plots.html_template", TEMPLATE.name)
    (tmp_path / "train.tsv").write_text("step\tloss\n10\t0.53125\n20\t0.28125\n")
    dvc(tmp_path, "plots", "show", "train.tsv", "-x", "step", "-y", "loss")
    return (tmp_path / "dvc_plots" / "index.html").read_text()


def test_the_page_loads_nothing_and_has_the_data(page: str) -> None:
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page)
    assert tags
    assert not [tag for tag in tags if "http" in tag or "//" in tag]
    assert "0.53125" in page
    assert "vegaEmbed('#" in page
    assert "window.vegaEmbed=" in page
    assert not re.search(r"\{(plot_divs|scripts|refresh_tag)\}", page)


def test_the_committed_template_is_what_its_script_makes(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "make_plots_template.py"
    subprocess.run([sys.executable, script, tmp_path / "page.html"], check=True)
    assert (tmp_path / "page.html").read_bytes() == TEMPLATE.read_bytes()
    assert TEMPLATE.stat().st_size < 2_000_000
