"""Arguments of a call as a file sets them out: spaces, line breaks and comments."""

from __future__ import annotations

import libcst as cst

EQUAL = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
_ATOMS = (
    cst.Name,
    cst.Attribute,
    cst.Call,
    cst.Subscript,
    cst.Integer,
    cst.Float,
    cst.SimpleString,
    cst.FormattedString,
    cst.List,
    cst.Dict,
    cst.Set,
    cst.ListComp,
    cst.SetComp,
    cst.DictComp,
)
_COMMA = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))


def keyword(name: str, value: cst.BaseExpression) -> cst.Arg:
    """Return an argument given by its name."""
    return cst.Arg(keyword=cst.Name(name), value=value, equal=EQUAL)


def binds_loosely(node: cst.BaseExpression) -> bool:
    """Return whether an expression needs parentheses inside another one."""
    return not isinstance(node, _ATOMS) and not node.lpar


def parenthesized(node: cst.BaseExpression) -> cst.BaseExpression:
    """Return an expression that may stand anywhere in another one."""
    if not binds_loosely(node):
        return node
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def with_arguments(call: cst.Call, kept: list[cst.Arg], added: list[cst.Arg]) -> cst.Call:
    """Return a call with other arguments, set out as its own are."""
    arguments = [*kept, *added]
    if not arguments:
        return call.with_changes(args=[], whitespace_before_args=cst.SimpleWhitespace(""))
    if not call.args:
        commas = [_COMMA] * (len(arguments) - 1) + [cst.MaybeSentinel.DEFAULT]
        arguments = [a.with_changes(comma=c) for a, c in zip(arguments, commas, strict=True)]
        return call.with_changes(args=arguments)
    last = call.args[-1]
    separator = _separator(call)
    for i, a in enumerate(arguments[:-1]):
        comma = a.comma
        if not isinstance(comma, cst.Comma) or a.comma is last.comma:
            comma = _commented(separator, _comment(a.comma))
        arguments[i] = a.with_changes(comma=comma, whitespace_after_arg=cst.SimpleWhitespace(""))
    own = arguments[-1]
    comma = own.comma if own.comma is not last.comma and _comment(own.comma) else last.comma
    if own.comma is not last.comma and comma is last.comma:
        comma = _commented(comma, None)
    arguments[-1] = own.with_changes(comma=comma, whitespace_after_arg=last.whitespace_after_arg)
    return call.with_changes(args=arguments)


def _separator(call: cst.Call) -> cst.Comma:
    """Return the comma between a call's arguments, with the line break that follows it."""
    if len(call.args) > 1:
        return _commented(call.args[0].comma, None)
    if isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace):
        return _commented(cst.Comma(whitespace_after=call.whitespace_before_args), None)
    return _COMMA


def _comment(comma):
    space = getattr(comma, "whitespace_after", None)
    return space.first_line.comment if isinstance(space, cst.ParenthesizedWhitespace) else None


def _commented(comma, comment):
    """Return a comma with another comment behind it, if there is a line break for it."""
    space = getattr(comma, "whitespace_after", None)
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return comma
    gap = cst.SimpleWhitespace("  " if comment else "")
    line = space.first_line.with_changes(comment=comment, whitespace=gap)
    return comma.with_changes(whitespace_after=space.with_changes(first_line=line, empty_lines=[]))
