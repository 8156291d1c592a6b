"""Take the exact versions out of a pyproject.toml, so that a resolver chooses the newest.

    python3 scripts/unpin.py pyproject.toml

`name==1.2.3` becomes `name>=1.2.3`, and uv's date limit goes. The packages that belong together
(torch, torchaudio, torchvision) and other overrides keep their versions: `override-dependencies`
says why each is there.
"""

import re
import sys
from pathlib import Path


def unpin(text: str) -> str:
    """The text of pyproject.toml with lower limits in place of pins."""
    head, mark, overrides = text.partition("override-dependencies = [")
    kept, end, tail = overrides.partition("]\n")
    fixed = {re.split("[=<>]", name)[0] for name in re.findall(r'"([^"]+)"', kept)}

    def loosen(match: re.Match[str]) -> str:
        return match[0] if match["name"] in fixed else f'"{match["name"]}{match["extra"]}>='

    pin = re.compile(r'"(?P<name>[A-Za-z0-9_.-]+)(?P<extra>(?:\[[a-z,]+\])?)==')
    head = re.sub(r"^exclude-newer = .*\n", "", pin.sub(loosen, head), flags=re.MULTILINE)
    return head + mark + kept + end + tail


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(unpin(path.read_text("utf-8")), "utf-8")
