"""The frame around a page's content: style sheet, title, footer, and a ban on loading anything."""

from collections.abc import Iterable
from pathlib import Path
from string import Template

from melodygan.page.markup import safe
from melodygan.pipeline.files import write_atomic


def write_document(
    path: Path, title: str, subtitle: str, content: Iterable[str], footer: str
) -> None:
    """Write one self-contained HTML file; all but `title`, a plain text, is HTML already.

    Its content security policy allows pictures and sounds that are in the file, and nothing else.
    """
    template = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
    page = template.substitute(
        title=safe(title), subtitle=subtitle, content="\n".join(content), footer=footer
    )
    write_atomic(path, page.encode())
