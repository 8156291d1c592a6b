"""Names that outsiders choose, made harmless: for file names, and for people to read."""

import hashlib
import re
import unicodedata

_DISPLAY = 200  # characters of a title that are kept
_SLUG = 60  # characters of a slug that are kept


def clean(text: str, limit: int = _DISPLAY) -> str:
    """`text` on one line of at most `limit` characters, without control and format characters.

    Format characters go as well: they can reverse the direction of text on a terminal. Composed
    (NFC): a Mac decomposes the names of files, and the two forms of a name look the same.
    """
    kept = (c for c in text if c.isspace() or not unicodedata.category(c).startswith("C"))
    line = unicodedata.normalize("NFC", " ".join("".join(kept).split()))
    return line[:limit].strip()


def slug(text: str) -> str:
    """ASCII letters, digits and `-` that still look like `text`; `track` where nothing is left."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", ascii_only)[:_SLUG].strip("-") or "track"


def file_name(label: str) -> str:
    """A name for files and folders that stands for `label` alone: at most 69 ASCII characters.

    A label of letters, digits, `-` and `_` is its own name. Any other, which may be long, hold
    slashes or come from somebody else's models, becomes a slug and a hash that tells it apart.
    """
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", label):
        return label
    return f"{slug(label)}-{hashlib.sha256(label.encode('utf-8', 'replace')).hexdigest()[:8]}"
