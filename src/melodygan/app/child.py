"""The child's side of a worker: it loads the models once, then does what it is asked to.

Requests come as lines of JSON on standard input, `{"do": DEED, "folder": FOLDER, "wish": {...}}`,
lines for a deed that is under way as `{"order": LINE}` or `{"stop": true}`. Answers go to what was
standard output, as lines of JSON; one with `sound` is followed by that many bytes. What libraries
print goes to standard error.
"""

import json
import os
import queue
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from melodygan.pipeline.errors import mendable
from melodygan.pipeline.process import die_with_parent, keep_bytecode

_FOLDERS = re.compile(r"(?<![\w.~-])(?:~?/|\.cache/)(?:[^\s/:'\"]+/)+")
_LONGEST = 400  # characters of a message
BROKEN = "something broke inside: the terminal in which `melodygan app` runs says what"


def scrubbed(text: str) -> str:
    """A message without the folders of absolute paths: a visitor need not know where files lie."""
    for known in (Path.cwd(), Path.home()):  # which may have spaces in them
        text = text.replace(f"{known}/", "")
    return _FOLDERS.sub("", text)[:_LONGEST]


class Line:
    """The way between a deed and the page."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self.requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._orders: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.stopped = threading.Event()
        self._last = ("", -1)

    def read(self) -> None:
        """Take in lines until the page hangs up, which ends this process."""
        for text in sys.stdin.buffer:
            message = json.loads(text)
            if "order" in message:
                self._orders.put(message["order"])
            elif "stop" in message:
                self.stopped.set()
            else:
                self.requests.put(message)
        os._exit(0)

    def orders(self) -> Iterator[str]:
        """Lines for the deed that is under way, until it is told to stop."""
        orders, stopped = self._orders, self.stopped  # of this deed alone
        while not stopped.is_set():
            with suppress(queue.Empty):
                yield orders.get(timeout=0.1)

    def tell(self, doing: str, share: float) -> None:
        """How far a deed is: in whole per cents, so that long ones do not flood the page."""
        now = (doing, int(100 * share))
        if now != self._last:
            self._last = now
            self.say({"doing": doing, "share": round(share, 3)})

    def say(self, message: dict[str, Any], sound: bytes = b"") -> None:
        """Send an answer."""
        if sound:
            message = message | {"sound": len(sound)}
        self._out.write(json.dumps(message).encode() + b"\n" + sound)
        self._out.flush()

    def begin(self) -> None:
        """Forget what was meant for the deed before."""
        self.stopped.set()
        self.stopped = threading.Event()
        self._orders = queue.SimpleQueue()
        self._last = ("", -1)


def main(parent: int) -> None:
    """Answer until the page hangs up. parent: its process id."""
    die_with_parent(parent)
    keep_bytecode()
    line = Line()
    threading.Thread(target=line.read, daemon=True).start()
    _attempt(line, lambda: _ready(line))
    while True:
        request = line.requests.get()
        line.begin()
        _attempt(line, lambda: _do(line, request))  # noqa: B023


def _ready(line: Line) -> None:
    from melodygan.app import deeds

    line.say({"ready": deeds.inventory()})


def _do(line: Line, request: dict[str, Any]) -> None:
    from melodygan.app import deeds
    from melodygan.generation.progress import telling

    deed = deeds.DEEDS[request["do"]]
    with telling(line.tell):
        line.say({"done": deed(Path(request["folder"]), request["wish"], line)})


def _attempt(line: Line, action: Any) -> None:
    try:
        action()
    except Exception as error:
        told = mendable(error)
        if told is None:
            traceback.print_exc()
        line.say({"failed": scrubbed(str(told)) if told else BROKEN})


if __name__ == "__main__":
    main(int(sys.argv[1]))
