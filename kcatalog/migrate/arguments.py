"""Arguments of one call, from the signature of a library's name to that of its destination."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping

import libcst as cst

from kcatalog.migrate import layout
from kcatalog.migrate.destination import Destination
from kcatalog.migrate.finding import Left, sentence
from kcatalog.migrate.row import PLACEHOLDER, Row


@dataclasses.dataclass
class _Given:
    """An old argument: where it stands in the call, None for a default, and its value."""

    arg: cst.Arg | None
    value: cst.BaseExpression
    node: ast.expr
    dropped: bool = False


class Arguments:
    """The arguments of one call, from the old signature to the new."""

    def __init__(self, row: Row, call: ast.Call, expression: cst.Call, destination: Destination):
        self.row, self.call, self.expression = row, call, expression
        self.destination = destination
        self.names, self.libraries = destination.program.names, destination.program.libraries
        self.given = self._bound()
        for x in row.state:
            if x not in self.given:
                self.given[x] = self._default(x)
        for x, given in self.given.items():
            self._convert(x, given)

    def _bound(self) -> dict[str, _Given]:
        """Return the arguments by their old names."""
        call, signature = self.call, self.row.signature
        nodes = [*call.args, *(k.value for k in call.keywords)]
        nodes.sort(key=lambda n: (n.lineno, n.col_offset))
        given = {}
        for i, (arg, node) in enumerate(zip(self.expression.args, nodes, strict=True)):
            if arg.star:
                raise Left(f"`{arg.star}` hides arguments; write them out, then run this again")
            if arg.keyword is None and i >= len(signature.names):
                raise Left("it has more arguments than the old signature; check them")
            x = signature.names[i] if arg.keyword is None else arg.keyword.value
            if x not in signature.defaults and self.row.rename.get(x) in signature.defaults:
                x = self.row.rename[x]  # another name of a parameter, such as lr
            if x not in signature.defaults and not signature.extra:
                raise Left(f"`{x}` was no argument of it; remove it")
            given[x] = _Given(arg, arg.value, node)
        return given

    def _default(self, x) -> _Given:
        text = self.row.signature.defaults.get(x)
        if text is None:
            raise Left(f"`{x}` is missing; give it")
        return _Given(
            None,
            cst.parse_expression(self.destination.requoted(text)),
            ast.parse(text, mode="eval").body,
        )

    def _convert(self, x, given):
        """Replace a value by its counterpart, or leave the call."""
        row = self.row
        shown = ast.unparse(given.node)
        shown = shown if len(shown) <= 40 else shown[:37] + "..."
        if x in row.numbers:
            if self.names.is_number(given.node):
                return
            raise Left(sentence(f"`{x}={shown}` may be no number", row.leave.get(x, "")))
        if x in row.values:
            known = {_source(k): v for k, v in row.values[x].items()}
            new = known.get(self.names.path_of(given.node) or ast.unparse(given.node))
            new = known.get("*") if new is None else new
            if new is None:
                options = ", ".join(k for k in known if k != "*")
                what = row.leave.get(x) or f"only {options} can be rewritten"
                raise Left(sentence(f"`{x}={shown}` has no counterpart", what))
            given.dropped = not new
            if new and new != "{}":
                given.value = self._filled(new.replace("{}", f"{{{x}}}"), {x: given})
        elif x in row.leave:
            raise Left(sentence(f"`{x}={shown}`", row.leave[x]))

    def _filled(self, text: str, values: Mapping[str, _Given], **more) -> cst.BaseExpression:
        """Return an expression with old arguments in its places."""
        names = PLACEHOLDER.findall(text)
        for x in set(names) - set(more):
            if names.count(x) > 1 and not _cheap(values[x].node):
                raise Left(f"`{x}` would be computed twice; move it to a variable")
        template = self.destination.parsed(PLACEHOLDER.sub(lambda m: f"__{m[1]}__", text))
        parts = {f"__{x}__": values[x].value for x in names if x not in more}
        parts |= {f"__{x}__": value for x, value in more.items()}

        class Fill(cst.CSTTransformer):
            def leave_Name(self, original_node, updated_node):  # noqa: N802
                part = parts.get(original_node.value)
                if part is None:
                    return updated_node
                return part if original_node is template else layout.parenthesized(part)

        return template.visit(Fill())

    def _computed(self) -> dict[str, tuple[str, cst.BaseExpression]]:
        """Return the computed arguments: old argument in whose place they stand -> new, value."""
        computed = {}
        for new, text in self.row.compute.items():
            names = list(dict.fromkeys(PLACEHOLDER.findall(text)))
            consumed = [x for x in names if x in self.row.drop or x == new]
            places = [x for x in consumed or names if x in self.given]
            if places:
                values = {x: self.given.get(x) or self._default(x) for x in names}
                self._once([x for x in names if x not in consumed])
                place = next((x for x in consumed if x in self.given), new)
                computed[place] = (new, self._filled(text, values))
        return computed

    def _once(self, names):
        """Leave the call if one of the arguments, which are passed on too, must not stand twice."""
        for x in names:
            if x in self.given and not _cheap(self.given[x].node):
                raise Left(f"`{x}` would be computed twice; move it to a variable")

    def _new(self) -> tuple[list[cst.Arg], list[cst.Arg]]:
        """Return the old arguments as they become, and those that are added."""
        row, kept, added, written = self.row, [], [], set()
        computed = self._computed()
        leading = True  # all arguments so far stand as they stood
        for i, (x, given) in enumerate(self.given.items()):
            if x in computed:
                new, value = computed.pop(x)
            elif x in row.drop or given.dropped or x == row.into or x in row.compute:
                leading = False
                continue
            else:
                new, value = row.rename.get(x, x), given.value
            leading = leading and given.arg is not None and given.arg.keyword is None
            leading = leading and i < row.positional
            if new in written:
                raise Left(f"`{new}` would be given twice")
            written.add(new)
            if leading:
                kept.append(given.arg.with_changes(value=value))
            elif given.arg is None:
                added.append(layout.keyword(new, value))
            else:
                equal = given.arg.equal if given.arg.keyword else layout.EQUAL
                kept.append(given.arg.with_changes(keyword=cst.Name(new), equal=equal, value=value))
        extra = [*computed.values()]
        extra += [(k, self.destination.parsed(v)) for k, v in row.add.items()]
        added += [layout.keyword(new, value) for new, value in extra if new not in written]
        return kept, added

    def written(self, name) -> cst.BaseExpression:
        """Return the new call, or the row's expression; `name` gives the name of what is called."""
        row = self.row
        if row.expression and "{call}" not in row.expression:
            return self._expression()
        kept, added = self._new()
        function = cst.parse_expression(name())
        call = layout.with_arguments(self.expression, kept, added).with_changes(func=function)
        return self._expression(call=call) if row.expression else call

    def _expression(self, **more) -> cst.BaseExpression:
        text = self.row.expression
        names = set(PLACEHOLDER.findall(text)) - set(more)
        if more:
            self._once(names - set(self.row.drop))
        values = {x: self.given.get(x) or self._default(x) for x in names}
        return self._filled(text, values, **more)

    def into(self) -> cst.Call:
        """Return the call that is the argument `into`, with the new arguments added to it."""
        x = self.row.into
        inner = self.given.get(x)
        call = inner and isinstance(inner.node, ast.Call) and inner.node
        path = call and self.names.path_of(call.func)
        if not path or not isinstance(inner.value, cst.Call) or not self._ends_in_keras(path):
            raise Left(f"`{x}` is made elsewhere; add the arguments there")
        if any(k.arg is None for k in call.keywords):
            raise Left(f"`**` hides arguments of `{x}`; write them out, then run this again")
        kept, added = self._new()
        added = [layout.keyword(a.keyword.value, a.value) for a in [*kept, *added]]
        given = {a.keyword.value for a in inner.value.args if a.keyword}
        twice = given & {a.keyword.value for a in added}
        if twice:
            raise Left(f"`{twice.pop()}` would be given twice")
        return layout.with_arguments(inner.value, list(inner.value.args), added)

    def _ends_in_keras(self, path) -> bool:
        """Return whether a path is, or becomes, a class of Keras or kcatalog."""
        first, _, rest = path.partition(".")
        library = self.libraries.get(first)
        row = library and library.find(rest)
        return (row.to if row and row.to else path).split(".")[0] in ("keras", "kcatalog")


def _cheap(node: ast.expr) -> bool:
    """Return whether an expression may stand twice."""
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(node, ast.Name | ast.Attribute | ast.Constant)


def _source(text: str) -> str:
    """Return an expression as `ast` writes it; "*" stays."""
    return text if text == "*" else ast.unparse(ast.parse(text, mode="eval").body)
