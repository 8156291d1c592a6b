"""Names that outsiders choose, made harmless: for file names, and for people to read."""

import hashlib
import re
import unicodedata

_DISPLAY = 200  # characters of a title that are kept
_SLUG = 60  # characters of a slug that are kept


def clean(text: str, limit: int = _DISPLAY) -> str:
    """`text` on one line of at most `limit` characters, without control and format characters.

    Format characters go as well: they can reverse the direction of text on a terminal.
    """
    kept = (c for c in text if c.isspace() or not unicodedata.category(c).startswith("C"))
    return " ".join("".join(kept).split())[:limit].strip()


def slug(text: str) -> str:
    """ASCII letters, digits and `-` that still look like `text`; `track` where nothing is left."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", ascii_only)[:_SLUG].strip("-") or "track"


def track_id(name: str, identity: tuple[str | None, ...]) -> str:
    """A stable id of at most 80 bytes: a slug for people, and a hash of `identity` that decides."""
    return f"{slug(name)}-{hashlib.sha256(repr(identity).encode()).hexdigest()[:8]}"


def extension(name: str) -> str:
    """The lower-case extension of a file name with its dot, or `.bin` where it is none or odd."""
    found = re.search(r"\.[A-Za-z0-9]{1,8}$", name)
    return found[0].lower() if found else ".bin"
