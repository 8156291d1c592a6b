"""`melodygan report`: times beside the outputs, for the results that they belong to only."""

from pathlib import Path

import pytest

from melodygan.commands.report import report
from melodygan.evaluation.times import times_section
from melodygan.page.document import write_document
from melodygan.pipeline import UserError
from melodygan.pipeline.files import write_json
from melodygan.training.times import Spent, keep

PAGE = Path("metrics/report.html")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the results of one stage, and a page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    results(1)
    write_document(PAGE, "Results", "", ["<p>a</p>", *times_section({}), "<p>b</p>"], "")
    return tmp_path


def results(value: int) -> None:
    for path in ("metrics/toy.json", "metrics/toy/run.json"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_json(Path(path), {"value": value})


def test_times_stand_on_a_copy_of_the_page_and_never_on_the_page() -> None:
    keep("toy", Spent(125.0, 61.0, "cpu", 1))
    before = PAGE.read_bytes()
    assert report(Path("mail.html")) == ["toy: 2 min 5 s by the clock, 1 min 1 s of CPU"]
    assert PAGE.read_bytes() == before
    assert b"2 min" not in before and b"melodygan report" in before
    copy = Path("mail.html").read_text()
    assert copy.index("<p>a</p>") < copy.index("2 min 5 s") < copy.index("<p>b</p>")
    assert "melodygan report" not in copy


def test_other_results_are_not_given_the_time_of_these() -> None:
    keep("toy", Spent(125.0, 61.0, "cpu", 1))
    results(2)
    assert "not known" in report(Path("mail.html"))[0]
    assert "not known" in Path("mail.html").read_text()
    results(1)
    assert "2 min 5 s" in report(None)[0], "as after `git checkout` and `dvc checkout`"


def test_a_damaged_side_cache_is_as_good_as_none() -> None:
    keep("toy", Spent(125.0, 61.0, "cpu", 1))
    (file,) = Path(".cache/times/toy").iterdir()
    for text in ("{", "{}", "[]"):
        file.write_text(text)
        assert "not known" in report(None)[0]


def test_what_cannot_be_written_is_said_in_one_line(root: Path) -> None:
    with pytest.raises(UserError, match="output of the pipeline: name another file"):
        report(root / PAGE)
    PAGE.write_text("<html>of old</html>")
    with pytest.raises(UserError, match="not of this version: run `dvc repro evaluate`"):
        report(Path("mail.html"))
    PAGE.unlink()
    with pytest.raises(UserError, match=r"no metrics/report\.html: run `dvc repro`"):
        report(Path("mail.html"))
    assert not Path("mail.html").exists()
