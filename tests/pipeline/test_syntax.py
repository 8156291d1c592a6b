"""The digest of code: blind to how it is written, and to nothing else."""

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from melodygan.pipeline.syntax import meaning

ROOT = Path(__file__).parents[2]
CODE = '''
"""A module."""
import numpy as np
RATE = 22050
async def later(x: int = 1, *rest, **more) -> float:
    """Says what it does."""
    def inner(y):
        return -y if y else ...
    return 1.5 * x + inner(RATE)
class Thing(dict):
    """A thing."""
    def get(self, key):
        print("a" "b", b"c", 1j, {**more, "k": None}, [i for i in key if i is not None])
'''

SAME = {
    "comments": lambda code: "# one\n" + code.replace("= 22050", "= 22050  # Hz"),
    "blank lines": lambda code: code.replace("\n", "\n\n"),
    "indentation": lambda code: code.replace("    ", "  "),
    "brackets": lambda code: code.replace("1.5 * x", "(\n  (1.5)\n  * x)"),
    "quotes": lambda code: code.replace('"a" "b"', "u'ab'"),
    "another docstring": lambda code: code.replace("A module", "Another").replace("A thing", "It"),
    "no docstrings": lambda code: code.replace('"""A module."""', "").replace(
        '    """Says what it does."""\n', ""
    ),
    "a number written otherwise": lambda code: code.replace("22050", "22_050"),
    "a comment on a type": lambda code: code.replace("= 22050", "= 22050  # type: ignore"),
}
OTHER = {
    "a number": lambda code: code.replace("22050", "22051"),
    "a type of number": lambda code: code.replace("22050", "22050.0"),
    "a sign": lambda code: code.replace("-y", "+y"),
    "the order of statements": lambda code: code.replace(
        "import numpy as np\nRATE = 22050", "RATE = 22050\nimport numpy as np"
    ),
    "a string": lambda code: code.replace('"b"', '"B"'),
    "text for bytes": lambda code: code.replace('b"c"', '"c"'),
    "a name": lambda code: code.replace("inner", "outer"),
    "a default": lambda code: code.replace("= 1,", "= None,"),
    "a block": lambda code: code.replace("return -y", "x = 0\n        return -y"),
    "a base class": lambda code: code.replace("dict", "list"),
    "a string that is no docstring": lambda code: code.replace("RATE =", '"RATE"\nRATE =', 1),
    "an asynchronous function": lambda code: code.replace("async def", "def"),
    "what is compared": lambda code: code.replace("is not None", "is None"),
}


def digest(folder: Path, code: str | bytes, name: str = "code.py") -> str:
    path = folder / name
    path.write_bytes(code.encode() if isinstance(code, str) else code)
    return meaning([str(path)])[str(path)]


@pytest.mark.parametrize("how", SAME)
def test_code_that_is_written_otherwise_has_the_same_digest(tmp_path: Path, how: str) -> None:
    other = SAME[how](CODE)
    assert other != CODE
    assert digest(tmp_path, other) == digest(tmp_path, CODE)


@pytest.mark.parametrize("how", OTHER)
def test_code_that_says_something_else_has_another_digest(tmp_path: Path, how: str) -> None:
    other = OTHER[how](CODE)
    ast.parse(other)
    assert digest(tmp_path, other) != digest(tmp_path, CODE)


def test_what_is_not_python_counts_by_its_bytes(tmp_path: Path) -> None:
    for name, one, two in (
        ("table.json", b"{}", b"{ }"),
        ("broken.py", b"def (", b"def (  # a comment"),
        ("null.py", b"A = 1\0", b"A = 1\0\0"),
        ("deep.py", b"(" * 500, b"(" * 501),
        ("latin.py", b"A = '\xff'", b"A = '\xfe'"),
    ):
        assert digest(tmp_path, one, name) != digest(tmp_path, two, name)


@pytest.fixture(scope="module")
def sources() -> list[bytes]:
    return [path.read_bytes() for path in sorted((ROOT / "src").rglob("*.py"))]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_literal_that_changes_anywhere_in_the_project_is_seen(
    tmp_path_factory: pytest.TempPathFactory, sources: list[bytes], data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    source = data.draw(st.sampled_from([code for code in sources if code]))
    tree = ast.parse(source)
    statements = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    literals = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node not in statements  # docstrings are of these
    ]
    assert digest(folder, ast.unparse(tree)) == digest(folder, source)
    if literals:
        data.draw(st.sampled_from(literals)).value = "another value"
        assert digest(folder, ast.unparse(tree)) != digest(folder, source)


def test_no_code_of_the_project_reads_its_own_text() -> None:
    """On which the digest rests: docs/adr/0009-code-by-its-syntax-tree.md."""
    readers = {"inspect", "linecache", "tokenize", "dis"}
    readers |= {"__doc__", "getsource", "co_firstlineno", "f_lineno", "tb_lineno", "co_code"}
    found = []
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_bytes())):
            said = {getattr(node, "attr", None), getattr(node, "id", None)}
            if isinstance(node, ast.Import | ast.ImportFrom):
                said |= {getattr(node, "module", None), *(alias.name for alias in node.names)}
            found += [f"{path.relative_to(ROOT)}: {name}" for name in said & readers]
    assert found == []
