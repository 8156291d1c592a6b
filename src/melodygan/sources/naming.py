"""The ids, labels and endings of tracks, made of names that outsiders choose."""

import hashlib
import re

from melodygan.pipeline.names import clean, slug

MAX_LABEL = 80  # characters
UNLABELLED = "unlabelled"
_SOUNDS = {  # endings of files that may hold audio
    "3gp", "aac", "ac3", "aif", "aifc", "aiff", "alac", "amr", "ape", "au", "avi", "bin", "caf",
    "dsf", "dts", "eac3", "flac", "flv", "m2ts", "m4a", "m4b", "m4v", "mka", "mkv", "mov",
    "mp1", "mp2", "mp3", "mp4", "mpc", "mpeg", "mpg", "oga", "ogg", "ogv", "opus", "ra", "raw",
    "rf64", "rm", "shn", "snd", "spx", "tak", "ts", "tta", "voc", "w64", "wav", "wave", "weba",
    "webm", "wma", "wmv", "wv",
}  # fmt: skip


def track_id(name: str, identity: tuple[str | None, ...]) -> str:
    """A stable id of at most 80 bytes: a slug for people, and a hash of `identity` that decides."""
    return f"{slug(name)}-{hashlib.sha256(repr(identity).encode()).hexdigest()[:8]}"


def extension(name: str) -> str:
    """The lower-case extension of a file name with its dot, or `.bin` where it is none or odd."""
    found = re.search(r"\.[A-Za-z0-9]{1,8}$", name)
    return found[0].lower() if found else ".bin"


def may_be_sound(name: str) -> bool:
    """Whether a file of that name is expected to be audio: any without an ending that is known."""
    return extension(name)[1:] in _SOUNDS


def label_of(folder: str) -> str:
    """The label that the name of a folder stands for; one that is too long ends in its hash.

    What `label_complaint` dislikes in it is replaced, so that such a folder needs no new name.
    """
    label = clean(folder, len(folder)).replace("/", "-").replace("\\", "-").lstrip(". ")
    if len(label) > MAX_LABEL:
        label = f"{label[: MAX_LABEL - 9].strip()}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
    return label or UNLABELLED


def label_complaint(label: str) -> str | None:
    """Why `label` cannot be one, or None. It may come from somebody else's file."""
    if not label.strip() or len(label) > MAX_LABEL or not label.isprintable():
        return f"label must be 1 to {MAX_LABEL} printable characters, not {label[:100]!r}"
    if "/" in label or "\\" in label or label.startswith("."):
        return f"label must not contain / or \\ nor begin with a dot: {label!r}"
    return None
