"""Small pieces of HTML. Names of files and labels are anyone's: all text goes through `safe`."""

import html
import re
from collections.abc import Iterable, Sequence

_LONGEST = 300  # characters
# controls, direction marks and overrides, line separators, lone surrogates, non-characters
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    "\ufffe\uffff]"
)


def safe(text: str) -> str:
    """Untrusted text as HTML, also inside an attribute in double quotes.

    Escaped; what could change the direction or the lines of its surroundings, or cannot be
    written as UTF-8, becomes a replacement character; cut after 300 characters.
    """
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return html.escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def name(text: str) -> str:
    """An untrusted name within a sentence or a cell: its own direction stays inside it."""
    return f"<bdi>{safe(text)}</bdi>"


def number(value: float, digits: int = 2) -> str:
    """At most `digits` decimals, thousands separated, with a true minus sign."""
    text = f"{value:,.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", "\N{MINUS SIGN}")


def count(items: int, noun: str) -> str:
    """`1 track`, `2,000 tracks`."""
    return f"{items:,} {noun}{'' if items == 1 else 's'}"


def duration(seconds: float) -> str:
    """`19.3 s`, `4 min 5 s` or `2 h 10 min`."""
    if seconds < 59.95:
        return f"{number(seconds, 1)} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60} min"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: int = 0) -> str:
    """A table of cells that are HTML already; the last `numeric` columns are aligned right."""
    first = len(head) - numeric

    def line(tag: str, cells: Sequence[str]) -> str:
        return "".join(
            f'<{tag} class="n">{cell}</{tag}>' if i >= first else f"<{tag}>{cell}</{tag}>"
            for i, cell in enumerate(cells)
        )

    body = "\n".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{line("th", head)}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )
