"""Which source files a module's results can depend on: all that it imports, directly or not.

Read from the import statements, also those inside functions, without importing anything. What
only runs when it is imported some other way is found at run time: see `pipeline/child.py`.
"""

from pathlib import Path

from melodygan.pipeline.syntax import imports

SOURCE = Path("src")


def closure(*modules: str) -> set[str]:
    """Paths (relative to the checkout) of `modules` and all modules of ./src that they import."""
    found: dict[str, Path] = {}
    pending = list(modules)
    while pending:
        name = pending.pop()
        path = _file(name)
        if name in found or path is None:
            continue
        found[name] = path
        # importing a.b.c runs a/__init__.py and a/b/__init__.py too
        pending += [name.rpartition(".")[0]] if "." in name else []
        pending += imports(path)
    return {path.as_posix() for path in found.values()}


def _file(module: str) -> Path | None:
    """The source file of a module name; None for other people's modules and for plain names."""
    base = SOURCE.joinpath(*module.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)
