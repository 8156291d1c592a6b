"""A child that speaks as the app's children do and computes nothing: deeds take as told."""

import json
import os
import sys
import time
from pathlib import Path


def say(message: dict) -> None:
    """Answer."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


PLAYER = {"name": "toy", "endless": True, "tempered": False, "labels": []}
say({"ready": {"samplers": [PLAYER], "rate": 8000}})
for line in sys.stdin:
    request = json.loads(line)
    wish = request["wish"]
    if wish.get("crash"):
        os._exit(3)
    say({"doing": "working", "share": 0.25})
    time.sleep(wish.get("take", 0.0))
    if "fail" in wish:
        say({"failed": wish["fail"]})
        continue
    Path(request["folder"], "made.wav").write_text(wish["name"])
    say({"done": {"said": [], "files": [{"file": "made.wav", "title": wish["name"]}]}})
