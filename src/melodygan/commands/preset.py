"""`melodygan preset NAME`: other values for params.yaml, with its comments kept."""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from melodygan.commands.groups import check_params
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import read_params


def apply_preset(name: str, folder: Path, params: Path) -> list[str]:
    """Merge `<folder>/<name>.yaml` into the file `params`; return one line per changed value.

    Raises UserError for an unknown preset, a key that `params` does not have, or values that do
    not go together; `params` is then as it was.
    """
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise UserError(f"no preset `{name}` in {folder}/ (known: {', '.join(known) or 'none'})")
    preset = folder / f"{name}.yaml"
    return merge_params(read_params(preset), params, preset)


def merge_params(values: dict[str, Any], params: Path, source: Path) -> list[str]:
    """Put the nested `values` into the file `params`; return one line per changed value.

    Comments, order and quotes stay. source: the file that the values are of, for messages. Raises
    UserError as `apply_preset` does.
    """
    read_params(params)  # its errors are readable, the round-trip parser's are not
    yaml = YAML()  # round-trip: comments, order and quotes stay
    yaml.width = 4096  # never wraps a line
    yaml.preserve_quotes = True
    yaml.representer.add_representer(float, _represent)
    table = yaml.load(params)
    changes = list(_merge(table, values, "", source))
    if changes:
        temporary = params.with_name(f"{params.name}.tmp")
        try:
            yaml.dump(table, temporary)
            check_params(temporary)
            temporary.replace(params)
        except UserError as error:
            complaint = str(error).removeprefix(f"{temporary}: ")
            raise UserError(f"{source} does not fit {params}: {complaint}") from None
        finally:
            temporary.unlink(missing_ok=True)
    return changes


def _represent(representer: Any, value: float) -> Any:
    """1.0e-05, not 1e-05, which readers of YAML 1.1 take for a text."""
    text = repr(value)
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    return representer.represent_scalar("tag:yaml.org,2002:float", text)


def _merge(table: Any, values: dict[str, Any], above: str, preset: Path) -> Iterator[str]:
    """Put `values` into `table`, yielding `key: old -> new` for each value that differs."""
    for key, value in values.items():
        path = above + key
        if key not in table:
            close = get_close_matches(key, list(table), n=1)
            hint = f": did you mean {above}{close[0]}?" if close else ""
            raise UserError(f"{preset}: params.yaml has no {path}{hint}")
        if isinstance(value, dict) != isinstance(table[key], dict):
            raise UserError(f"{preset}: {path} is a group in one file and a value in params.yaml")
        if isinstance(value, dict):
            yield from _merge(table[key], value, f"{path}.", preset)
        elif table[key] != value:
            yield f"{path}: {table[key]} -> {value}"
            if isinstance(value, list):
                table[key][:] = value  # the old list keeps its form, on one line
            else:
                table[key] = value
