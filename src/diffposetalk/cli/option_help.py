"""Help of command-line options, taken from the docstrings of a dataclass's fields."""

from __future__ import annotations

import ast
import inspect
from dataclasses import MISSING, fields
from functools import cache


@cache
def field_docs(options: type) -> dict[str, str]:
    """Return the docstring of each field of a dataclass, on one line, without its last full stop."""
    (definition,) = ast.parse(inspect.getsource(options)).body
    assert isinstance(definition, ast.ClassDef)
    docs = {}
    for field, doc in zip(definition.body, definition.body[1:]):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(doc, ast.Expr):
            docs[field.target.id] = " ".join(str(ast.literal_eval(doc.value)).split()).removesuffix(".")
    return docs


def help_of(options: type, name: str) -> str:
    """Return the help of the option for the field ``name``: its docstring and its default."""
    text = field_docs(options)[name].replace("%", "%%")
    default = next(field.default for field in fields(options) if field.name == name)  # type: ignore[arg-type]
    text = text[0].lower() + text[1:]
    if default is None or default is MISSING or default is False:
        return text
    shown = "on" if default is True else f"{default:g}" if isinstance(default, float) else str(default)
    return f"{text} (default: {shown})"
