"""Training curves: tables whose bytes depend on the training alone."""

from pathlib import Path

from melodygan.training.curves import Curves


def test_columns_stand_in_the_order_in_which_they_first_appeared(tmp_path: Path) -> None:
    curves = Curves(tmp_path / "toy")
    curves.add("train", 10, {"loss": 0.5, "part": 1.0})
    curves.add("train", 20, {"part": 2.0, "loss": 0.1234567})
    text = (tmp_path / "toy/train.tsv").read_text()
    assert text == "step\tloss\tpart\n10\t0.5\t1\n20\t0.123457\t2\n"


def test_a_column_that_joins_rewrites_the_table_and_one_that_is_missing_leaves_a_gap(
    tmp_path: Path,
) -> None:
    curves = Curves(tmp_path)
    curves.add("train", 10, {"loss": 0.5})
    curves.add("train", 20, {"loss": 0.4, "late": 3.0})
    curves.add("train", 30, {"late": 2.0})
    expected = "step\tloss\tlate\n10\t0.5\t\n20\t0.4\t3\n30\t\t2\n"
    assert (tmp_path / "train.tsv").read_text() == expected
    Curves(tmp_path / "again", curves.rows)
    assert (tmp_path / "again/train.tsv").read_text() == expected


def test_tables_are_files_of_their_own(tmp_path: Path) -> None:
    curves = Curves(tmp_path)
    curves.add("train", 1, {"loss": 1.0})
    curves.add("validation", 1, {"score": 2.0})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.tsv", "validation.tsv"]


def test_steps_beyond_a_million_keep_all_their_digits(tmp_path: Path) -> None:
    curves = Curves(tmp_path)
    curves.add("train", 2_500_001, {"loss": 1.0})
    assert (tmp_path / "train.tsv").read_text().splitlines()[1].split("\t")[0] == "2500001"


def test_restored_curves_go_on_as_if_never_interrupted(tmp_path: Path) -> None:
    whole, first = Curves(tmp_path / "whole"), Curves(tmp_path / "first")
    for step in (1, 2, 3):
        whole.add("train", step, {"loss": 1 / step})
        if step < 3:
            first.add("train", step, {"loss": 1 / step})
    resumed = Curves(tmp_path / "resumed", first.rows)
    resumed.add("train", 3, {"loss": 1 / 3})
    files = [tmp_path / name / "train.tsv" for name in ("whole", "resumed")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert resumed.rows == whole.rows


def test_a_new_run_replaces_the_table_of_an_older_one(tmp_path: Path) -> None:
    Curves(tmp_path).add("train", 1, {"old": 1.0})
    Curves(tmp_path).add("train", 1, {"new": 2.0})
    assert (tmp_path / "train.tsv").read_text() == "step\tnew\n1\t2\n"
