"""params.yaml: whatever stands in it, it becomes a checked dataclass or one clear line."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from melodygan.audio.mel import MelConfig
from melodygan.generation.config import GenerateParams
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.latent_gan.config import LatentGANParams
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import Range, load, load_seed, parse, read_params
from melodygan.pipeline.runtime import Runtime

WriteParams = Callable[[str], Path]


@dataclass(frozen=True)
class Inner:
    size: Annotated[int, Range(ge=1)]


@dataclass(frozen=True)
class Group:
    steps: Annotated[int, Range(ge=1)]
    lr: Annotated[float, Range(gt=0, le=1)]
    on: bool
    mode: Literal["fast", "good"]
    names: list[str]
    limit: Annotated[float | None, Range(ge=0)]
    inner: Inner

    def __post_init__(self) -> None:
        if self.on and not self.names:
            raise ValueError("names must not be empty when on is true")


GOOD: dict[str, Any] = {
    "steps": 3,
    "lr": 0.1,
    "on": False,
    "mode": "fast",
    "names": ["a"],
    "limit": None,
    "inner": {"size": 2},
}


def complaint(**changes: Any) -> str:
    with pytest.raises(UserError) as error:
        parse(Group, GOOD | changes, "group")
    return str(error.value)


def test_a_good_group_becomes_its_dataclass() -> None:
    made = parse(Group, GOOD, "group")
    assert made == Group(3, 0.1, False, "fast", ["a"], None, Inner(2))


def test_a_whole_number_is_a_good_float_and_becomes_one() -> None:
    made = parse(Group, GOOD | {"lr": 1, "limit": 2}, "group")
    assert isinstance(made.lr, float) and isinstance(made.limit, float)


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    assert complaint(stpes=1) == "params.yaml: unknown key group.stpes (did you mean `steps`?)"


def test_a_missing_key_is_named_with_its_path() -> None:
    value = {key: GOOD[key] for key in GOOD if key != "lr"}
    with pytest.raises(UserError, match=r"^params.yaml: group.lr is missing$"):
        parse(Group, value, "group")


def test_a_nested_key_is_named_with_its_whole_path() -> None:
    assert "group.inner.size must be at least 1, not 0" in complaint(inner={"size": 0})
    assert "unknown key group.inner.sise" in complaint(inner={"sise": 1})
    assert "group.inner must be a group of keys" in complaint(inner=[1])


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("steps", "3", "group.steps must be a whole number, not '3'"),
        ("steps", 3.0, "group.steps must be a whole number"),
        ("steps", True, "group.steps must be a whole number, not True"),
        ("lr", False, "group.lr must be a number, not False"),
        ("lr", "1e-05", "group.lr must be a number, not '1e-05'"),
        ("lr", None, "group.lr must be a number, not None"),
        ("on", 1, "group.on must be true or false, not 1"),
        ("on", "yes", "group.on must be true or false"),
        ("mode", "slow", "group.mode must be fast | good, not 'slow'"),
        ("mode", ["fast"], "group.mode must be fast | good"),
        ("names", "a", "group.names must be a list, not 'a'"),
        ("names", ["a", 2], "group.names[1] must be text, not 2"),
        ("limit", [], "group.limit must be a number"),
    ],
)
def test_a_wrong_type_is_refused(key: str, value: Any, words: str) -> None:
    assert words in complaint(**{key: value})


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("steps", 0, "group.steps must be at least 1, not 0"),
        ("lr", 0.0, "group.lr must be greater than 0, not 0.0"),
        ("lr", 1.5, "group.lr must be at most 1, not 1.5"),
        ("limit", -1, "group.limit must be at least 0"),
        ("lr", math.nan, "group.lr must be finite, not nan"),
        ("lr", math.inf, "group.lr must be finite, not inf"),
        ("lr", 10**309, "group.lr must be finite, not inf"),
    ],
)
def test_an_impossible_number_is_refused(key: str, value: Any, words: str) -> None:
    assert words in complaint(**{key: value})


def test_conditions_between_keys_are_told_with_the_group() -> None:
    words = "params.yaml: group: names must not be empty when on is true"
    assert complaint(on=True, names=[]) == words


def test_the_notation_that_dvc_writes_is_a_number(params_file: WriteParams) -> None:
    path = params_file("inner: {size: 1}\nlr: 1e-05\n")
    assert read_params(path)["lr"] == 1e-5


def test_a_missing_group_is_named_with_the_nearest_one(params_file: WriteParams) -> None:
    path = params_file("iner: {size: 1}\n1: x\n")
    with pytest.raises(UserError, match="group `inner` is missing \\(did you mean `iner`"):
        load(Inner, "inner", path)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not found: run this in the repository's root folder"):
        load(Inner, "inner", tmp_path / "params.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: 1\na: 2\n",
        "",
        "- 1\n",
        "a: 2020-99-99\n",
        "a: '\\ud800'\n\t- b",
        "a: b: c",
        "[" * 5000,
    ],
)
def test_a_broken_file_is_one_line_with_its_name(text: str, params_file: WriteParams) -> None:
    path = params_file(text)
    with pytest.raises(UserError) as error:
        load(Inner, "inner", path)
    assert str(path) in str(error.value) and len(str(error.value).splitlines()) == 1


def test_aliases_that_multiply_make_no_long_message(params_file: WriteParams) -> None:
    levels = [f"- &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
    path = params_file("\n".join(["inner:", "- &l0 [x]", *levels]))
    with pytest.raises(UserError, match="must be a group of keys") as error:
        load(Inner, "inner", path)
    assert len(str(error.value)) < 1000


def test_a_folder_in_the_files_place_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it must be a file"):
        load(Inner, "inner", tmp_path)


@pytest.mark.parametrize("seed", ["-1", "true", "1.0", "4294967296", "x"])
def test_a_seed_that_is_no_32_bit_number_is_refused(seed: str, params_file: WriteParams) -> None:
    with pytest.raises(UserError, match="seed must be a whole number"):
        load_seed(params_file(f"seed: {seed}\n"))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=5,
)


def one_line_or_parsed(value: Any) -> None:
    try:
        parse(Group, value, "group")
    except UserError as error:
        message = str(error)
        assert "group" in message
        assert len(message.splitlines()) == 1, message


@given(PLAIN)
def test_anything_at_all_parses_or_is_one_line_with_the_group(value: Any) -> None:
    one_line_or_parsed(value)


@given(st.sampled_from([*GOOD, "new"]), PLAIN)
def test_any_value_of_one_key_parses_or_is_one_line_with_the_group(key: str, value: Any) -> None:
    one_line_or_parsed(GOOD | {key: value})


@given(st.text() | st.integers(), PLAIN)
def test_any_further_key_is_one_line_with_the_group(key: str | int, value: Any) -> None:
    one_line_or_parsed({**GOOD, key: value})


@pytest.mark.parametrize(
    ("cls", "group"),
    [
        (MelConfig, "audio"),
        (Runtime, "runtime"),
        (VQVAEParams, "vqvae"),
        (LatentGANParams, "latent_gan"),
        (CycleGANParams, "cyclegan"),
        (GenerateParams, "generate"),
    ],
)
def test_the_repositorys_own_values_parse(cls: type[Any], group: str) -> None:
    path = Path(__file__).parents[2] / "params.yaml"
    made = load(cls, group, path)
    assert {field.name for field in fields(made)} == read_params(path)[group].keys()
