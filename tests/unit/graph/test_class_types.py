from __future__ import annotations

from pathlib import Path

import pytest

from graphagent.graph.class_types import Classes, NoClass
from graphagent.graph.project import ProjectFolder
from graphagent.graph.python_types import NoType
from graphagent.graph.validate import check_text

MODULES = {
    "models": '''
from __future__ import annotations
import typing as t
from enum import Enum, StrEnum
from typing import Annotated, Any, ClassVar, Dict, List, Literal, Mapping, Optional, Union
import pydantic
from pydantic import BaseModel, Field
from pkg.shared import Base, Tag as Label
from pkg import shared

MOST = 7
Points = Annotated[int, Field(ge=0)]

class Color(StrEnum):
    RED = "red"
    BLUE = "blue"

class Doc(Base):
    """A document."""
    model_config = {"extra": "forbid"}
    kind: ClassVar[str] = "doc"
    count: t.ClassVar = 0
    _private: int = 1
    title: "str"
    points: Points = 3
    color: Color = Color.RED
    most: int = MOST
    labels: list[Label] = Field(default_factory=list)
    by_name: Dict[str, Label]
    state: Literal["new", "old"] = "new"
    extra: Optional[Any] = None
    either: Union[int, str]
    many: List[float] = [1.0]
    rows: list
    facts: Mapping[str, bool] = Field(default_factory=dict, description="What is known.")
    note: t.Optional[str] = Field(None, max_length=10)
    needed: int = Field(..., gt=0)
    also: bool = Field(description="Said before.")

    def method(self) -> int:
        return 1

class Tree(BaseModel):
    children: list[Tree] = []

class Left(pydantic.BaseModel):
    right: Right | None = None

class Right(BaseModel):
    left: Left | None = None
''',
    "pkg.shared": "from pydantic import BaseModel\nfrom .deep import Word\n"
    "class Tag(BaseModel):\n    word: Word\nclass Base(BaseModel):\n    id: str\n    tag: Tag\n",
    "pkg.deep": "from pydantic import BaseModel\nclass Word(BaseModel):\n    text: str\n",
}
CLASSES = Classes(MODULES.get)


def test_fields_of_a_class_and_of_all_that_it_refers_to() -> None:
    assert CLASSES.read("models:Doc") == {
        "models:Doc": {
            "id": "str", "tag": "pkg.shared:Tag", "title": "str", "points": "int = 3",
            "color": "Literal['red', 'blue'] = 'red'", "most": "int = 7", "labels": "list[pkg.shared:Tag] = []",
            "by_name": "dict[str, pkg.shared:Tag]", "state": "Literal['new', 'old'] = 'new'",
            "extra": "any | None = null", "either": "int | str", "many": "list[float] = [1.0]", "rows": "list[any]",
            "facts": "dict[str, bool] = {}", "note": "str | None = null", "needed": "int", "also": "bool",
        },
        "pkg.shared:Tag": {"word": "pkg.deep:Word"},
        "pkg.deep:Word": {"text": "str"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("x: datetime", "`datetime` is not a type"),
        ("x: dict[int, str]", "`dict[int, str]` is not a type"),
        ("x: tuple[int, ...]", "is not a type"),
        ("x: Callable[[int], str]", "is not a type"),
        ("x: f(1)", "`f(1)` is not a type"),
        ("x: int = f()", "`f()` is no literal"),
        ("x: int = Field(default_factory=f)", "only known when Python runs"),
        ("x: int = Field(alias='y')", "a second name"),
        ("x: 'in t'", "'in t' is no type"),
        ("x: Plain", "`Plain` is no class of pydantic"),
        ("x: Literal[y]", "`y` is no literal"),
        ("x: int = b'1'", "is not plain data"),
    ],
)
def test_a_field_that_is_of_no_type_is_named(body: str, message: str) -> None:
    text = f"from pydantic import BaseModel, Field\nclass Plain:\n    pass\nclass M(BaseModel):\n    {body}\n"
    with pytest.raises(NoType) as caught:
        Classes({"m": text}.get).read("m:M")
    assert str(caught.value).startswith("M.x: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reference", "message"),
    [
        ("class M(BaseModel): pass", "m:N", "has no class `N`"),
        ("class M: pass", "m:M", "no class of pydantic"),
        ("class A(B): pass\nclass B(A): pass", "m:A", "no class of pydantic"),
        ("M = 1", "m:M", "has no class `M`"),
        ("class M(", "m:M", "is no Python text"),
        ("\0", "m:M", "is no Python text"),
        ("from n import M", "m:M", "has no class `M`"),
        ("from m import M", "m:M", "has no class `M`"),
        ("x", "n:M", "no module `n`"),
    ],
)
def test_what_is_no_class(text: str, reference: str, message: str) -> None:
    with pytest.raises(NoClass, match=message):
        Classes({"m": text}.get).read(reference)


def test_a_bomb_is_refused() -> None:
    deep = "class M(BaseModel):\n    x: " + " | ".join(["int"] * 30_000)
    with pytest.raises(NoType):
        Classes({"m": deep}.get).read("m:M")


def graph(kind: str) -> str:
    return (
        "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: t }\n"
        f'inputs: {{ x: "{kind}" }}\nstart: n\nnodes:\n  n: {{ kind: set, next: end }}\n'
    )


def test_classes_that_contain_themselves_are_refused(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODULES["models"])
    for name in ("Tree", "Left"):
        found = check_text(graph(f"models:{name}"), "t.graph.yaml", ProjectFolder(tmp_path)).diagnostics
        assert [(d.code, "contains itself" in d.message) for d in found] == [("GA308", True)]
