"""Writes an expression tree as text that reads back as the same tree. Called by `engine` and by error messages."""

from __future__ import annotations

from tasks.transform.expressions.tree import Attribute, Call, Comparison, Concatenation, Node, Number, Text, Word


def unparse(node: Node) -> str:
    """Give the expression's text on one line, in one fixed spacing: parsing and printing it again changes nothing."""
    match node:
        case Text():
            return '"' + node.value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case Number():
            return node.written
        case Attribute():
            return f"[{node.name}]"
        case Word():
            return node.name
        case Comparison():
            return f"{unparse(node.left)} {node.operator} {unparse(node.right)}"
        case Concatenation():
            return " & ".join(map(unparse, node.operands))
        case Call():
            return f"{node.name}({', '.join('' if one is None else unparse(one) for one in node.arguments)})"
