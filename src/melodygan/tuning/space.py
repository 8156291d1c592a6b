"""tune.yaml: what a search may change of a stage's group of params.yaml.

    vqvae:
      steps: 1500                   # a plain value: so in every trial, and not kept afterwards
      lr: {log: [1.0e-4, 1.0e-2]}   # any number between, on a logarithmic scale
      residual_blocks: {int: [1, 4]}
      commitment: {float: [0.1, 1.0]}
      codebook_size: [128, 256, 512]  # one of these

A group within the group (vocoder.magnet) is written as one; of several that stand for kinds of a
model, that of the kind in use is searched.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import brief, parse, read_params

Values = dict[str, Any]  # of parameters, by their path within the stage's group, like `magnet.lr`
FILE = Path("tune.yaml")
_DIGITS = 3  # to which numbers are rounded, so that a winner can be read and written
_RANGES = {"log", "int", "float"}


@dataclass(frozen=True)
class Between:
    """Numbers from `low` to `high`, whole ones if both are; on a logarithmic scale if `log`."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True)
class OneOf:
    """A choice between values: numbers, texts, true and false."""

    values: tuple[Any, ...]


Dimension = Between | OneOf


@dataclass(frozen=True)
class Space:
    """searched: by the parameter's path within the group. fixed: for all trials. default: whether
    tune.yaml says nothing of the stage, so that this is what any training stage has."""

    searched: dict[str, Dimension]
    fixed: Values = field(default_factory=dict)
    default: bool = False

    def of(self, kind: str) -> dict[str, Dimension]:
        """What is searched below the group within the group `kind`; "": what is in none."""
        return {k: d for k, d in self.searched.items() if k.rpartition(".")[0] == kind}

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a digest."""
        return {"searched": {k: repr(d) for k, d in self.searched.items()}, "fixed": self.fixed}


def read_space(
    stage: str, params_type: type, group: Mapping[str, Any], kind: str, path: Path = FILE
) -> Space:
    """What `path` says of a stage whose group of params.yaml is `group`.

    kind: the group within it that has the settings of training, or "". Where `path` says nothing of
    the stage, the learning rate is searched for a decade both ways and the batch size from half to
    double. Raises UserError with the full path of the first bad key.
    """
    table = read_params(path)
    if stage not in table:
        return _default(group, kind)
    searched: dict[str, Dimension] = {}
    fixed: Values = {}
    for key, kind, value in _leaves(params_type, table[stage], stage, str(path)):
        dimension = _dimension(value, f"{path}: {key}")
        for example in _examples(dimension, value):
            _check(kind, key, example, str(path))
        name = key.removeprefix(f"{stage}.")
        if dimension is None:
            fixed[name] = value
        else:
            searched[name] = dimension
    if not searched:
        raise UserError(f"{path}: {stage} has nothing to search: give a list or a range")
    return Space(searched, fixed)


def _leaves(kind: Any, table: Any, key: str, file: str) -> Iterator[tuple[str, Any, Any]]:
    """Each parameter's full path, its type, and what tune.yaml has for it."""
    hints = get_type_hints(kind, include_extras=True)
    if not isinstance(table, dict):
        raise UserError(f"{file}: {key} must be a group of keys, not {brief(table)}")
    for name, value in table.items():
        if name not in {each.name for each in fields(kind)}:
            parse(kind, {name: value}, key, file)  # which tells it, with the key that was meant
        if is_dataclass(hints[name]):
            yield from _leaves(hints[name], value, f"{key}.{name}", file)
        else:
            yield f"{key}.{name}", hints[name], value


def _dimension(value: Any, where: str) -> Dimension | None:
    """None for a plain value."""
    if isinstance(value, list):
        plain = all(isinstance(each, bool | int | float | str) for each in value)
        if not plain or len(value) < 2 or len(set(map(repr, value))) < len(value):
            raise UserError(f"{where} must list at least two different plain values")
        return OneOf(tuple(value))
    if not isinstance(value, dict):
        return None
    if len(value) != 1 or (kind := next(iter(value))) not in _RANGES:
        raise UserError(
            f"{where} must be a list, or one of log, int and float with two numbers, "
            f"not {brief(value)}"
        )
    ends = value[kind]
    number = int if kind == "int" else int | float
    if (
        not isinstance(ends, list)
        or len(ends) != 2
        or not all(isinstance(end, number) and not isinstance(end, bool) for end in ends)
    ):
        words = "whole numbers" if kind == "int" else "numbers"
        raise UserError(f"{where}.{kind} must be two {words}, not {brief(ends)}")
    low, high = (float(end) for end in ends) if kind == "float" else ends
    if not low < high or (kind == "log" and low <= 0):
        above = "above 0 " if kind == "log" else ""
        raise UserError(f"{where}.{kind} must go {above}from low to high, not {brief(ends)}")
    return Between(low, high, kind == "log")


def _examples(dimension: Dimension | None, value: Any) -> tuple[Any, ...]:
    """Values that must all be allowed: a range is if its ends are."""
    if dimension is None:
        return (value,)
    return dimension.values if isinstance(dimension, OneOf) else (dimension.low, dimension.high)


def _check(hint: Any, key: str, value: Any, file: str) -> None:
    """By the type and the limits of the parameter, without those between several of them."""
    group, _, name = key.rpartition(".")
    parse(make_dataclass("One", [(name, hint)], frozen=True), {name: value}, group, file)


def _default(group: Mapping[str, Any], kind: str) -> Space:
    """For a stage of which tune.yaml says nothing."""
    rate, batch = (within(kind, name) for name in ("lr", "batch_size"))
    lr, size = (float(lookup(group, name)) for name in (rate, batch))
    sizes = OneOf(tuple(sorted({max(1, int(size) // 2), int(size), 2 * int(size)})))
    dimensions: dict[str, Dimension] = {
        rate: Between(rounded(lr / 10), rounded(lr * 10), log=True),
        batch: sizes,
    }
    return Space(dimensions, {}, True)


def rounded(value: Any) -> Any:
    """A value as trials use it: numbers with a fraction to three digits."""
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def within(kind: str, name: str) -> str:
    """The path of a parameter in the group within the group `kind`; "": in none."""
    return f"{kind}.{name}" if kind else name


def lookup(group: Mapping[str, Any], key: str) -> Any:
    """The value at a path within a group of params.yaml."""
    value: Any = group
    for name in key.split("."):
        value = value[name]
    return value


def replaced(group: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """A copy of a group of params.yaml with other values at some paths."""
    changed = {k: replaced(v, {}) if isinstance(v, dict) else v for k, v in group.items()}
    for key, value in values.items():
        *above, name = key.split(".")
        place = changed
        for step in above:
            place = place[step]
        place[name] = value
    return changed


def without(group: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """A group of params.yaml without what a search changes."""
    return replaced(group, dict.fromkeys(space.searched))
