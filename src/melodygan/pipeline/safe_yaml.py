"""YAML from files that may be damaged or hostile: libyaml crashes Python on deep nesting."""

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it was built
_DEEPEST = 50  # nested groups


def load_yaml(content: bytes | str) -> Any:
    """The plain value that `content` stands for.

    Raises ValueError for what is nested too deeply, is not YAML, or has a date that cannot be.
    """
    depth = 0
    try:
        for event in yaml.parse(content, _LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise ValueError("nested too deeply")
        return yaml.load(content, _LOADER)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from None
