"""The catalog: `@component` puts a part in, `find` and `describe` take facts out.

A part is described by its source file: decorator, docstring and signature are read as text
(`ast`), so the catalog answers without importing Keras or a backend. A test holds what the
text says against what the imported class says.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import re
from dataclasses import dataclass, field
from pathlib import Path

from kcatalog import KINDS, card, checks
from kcatalog.card import Card
from kcatalog.keras_parts import KERAS_PARTS

_PACKAGE = Path(__file__).parent
# The shelves of the listing: Keras's module names, with schedules on a shelf of their own.
SHELVES = (*KINDS, "schedules")
_CARDS: dict[type, Card] = {}
_CARD_WORDS = {
    name: getattr(card, name)
    for name in ("Paper", "Part", "Example", "Float", "Int", "Choice", "Card")
}
_SECTION = re.compile(r"^([A-Z][A-Za-z ]+):\s*$")
_PARAGRAPH = re.compile(r"\n\s*\n")


# --- putting a part in ------------------------------------------------------------------


def component(**facts):
    """Class decorator: registers a part in the catalog and with Keras's serialization.

    Args:
        facts: the fields of `kcatalog.card.Card`, written as literals.
    """

    def register(cls):
        import keras

        _CARDS[cls] = Card(**facts)
        if hasattr(cls, "get_config"):  # callbacks are not serialized
            package = cls.__module__.split(".")[0]
            if package == __package__:  # the same class name may stand under two kinds
                package = ".".join(cls.__module__.split(".")[:2])
            cls = keras.saving.register_keras_serializable(package)(cls)
        return cls

    return register


def card_of(cls: type) -> Card | None:
    """The card of a class that bears `@component` itself; None for any other class."""
    return _CARDS.get(cls)


def components() -> list[type]:
    """Every kcatalog part as an imported class, in the order of the listing."""
    return [entry.load() for entry in find(origin="kcatalog")]


# --- taking facts out -------------------------------------------------------------------


@dataclass(frozen=True)
class Argument:
    """One constructor argument as the source tells it. `rule` is "" where none is checked."""

    name: str
    required: bool
    default: object
    rule: str
    meaning: str


@dataclass(frozen=True)
class Entry:
    """All that is known of a part without importing it."""

    name: str
    kind: str
    path: str
    origin: str
    summary: str
    sections: dict[str, str]
    arguments: tuple[Argument, ...]
    card: Card = field(default_factory=Card)
    file: str = ""

    def load(self) -> type:
        """Import the class."""
        module, name = self.path.rsplit(".", 1)
        return getattr(importlib.import_module(module), name)

    def example_code(self) -> str:
        """Lines to paste: import and construct the card's example."""
        root = self.path.split(".")[0]
        modules = [a.path for a in self.card.example.args.values() if isinstance(a, card.Part)]
        imports = sorted({root, *(m.split(".")[0] for m in modules)})
        call = f"{self.path}({card.render_args(self.card.example.args)})"
        return "".join(f"import {m}\n" for m in reversed(imports)) + f"\npart = {call}"


@functools.cache
def catalog() -> tuple[Entry, ...]:
    """Every part, ours and those of Keras that recipes and the tuner use."""
    ours = []
    for kind in KINDS:
        for file in sorted((_PACKAGE / kind).rglob("*.py")):
            of_kind = "schedules" if file.parent.name == "schedules" else kind
            ours.extend(read_source(file.read_text(encoding="utf-8"), of_kind, file))
    return tuple(sorted(ours, key=_order)) + tuple(sorted(_keras_entries(), key=_order))


def find(kind=None, tag=None, text=None, origin=None) -> list[Entry]:
    """Entries that match every filter given; `text` is looked for in name and docstring."""

    def matches(e: Entry) -> bool:
        words = f"{e.name} {e.summary} {e.card.equation} {e.card.paper or ''}".lower()
        return (
            (kind is None or e.kind == kind)
            and (tag is None or tag in e.card.tags)
            and (text is None or text.lower() in words)
            and (origin is None or e.origin == origin)
        )

    return [e for e in catalog() if matches(e)]


def describe(name: str) -> Entry:
    """The entry called `name`: a class name, `losses.X`, or a full path.

    Raises:
        LookupError: no such part; the message names the closest one.
    """
    found = [e for e in catalog() if e.path == name or e.path.endswith(f".{name}")]
    if not found:
        found = [e for e in catalog() if e.name.lower() == name.lower()]
    if not found:
        hint = checks.closest(name.rsplit(".", 1)[-1], [e.name for e in catalog()])
        hint = hint if hint.startswith("Did") else "See `kcatalog list`."
        raise LookupError(f"There is no part called {name!r}. {hint}")
    return found[0]


def describe_class(cls: type) -> Entry:
    """The entry of an imported class, which may be a user's own and need not bear a card."""
    try:
        file = Path(inspect.getfile(cls))
        found = read_source(file.read_text(encoding="utf-8"), kind_of(cls), file, cls.__name__)
    except (OSError, TypeError):  # defined at a prompt: no source to read
        found = []
    facts = found[0] if found else Entry(cls.__name__, kind_of(cls), "", "", "", {}, ())
    public = any(e.name == cls.__name__ and e.load() is cls for e in find(origin="kcatalog"))
    path = facts.path if public else f"{cls.__module__}.{cls.__qualname__}"
    return Entry(**{**facts.__dict__, "path": path, "card": card_of(cls) or facts.card})


def kind_of(cls: type) -> str:
    """The kind a class belongs to, by the Keras class it derives from."""
    import keras

    bases = {
        "layers": keras.layers.Layer,
        "losses": keras.losses.Loss,
        "metrics": keras.metrics.Metric,
        "regularizers": keras.regularizers.Regularizer,
        "constraints": keras.constraints.Constraint,
        "initializers": keras.initializers.Initializer,
        "optimizers": keras.optimizers.Optimizer,
        "schedules": keras.optimizers.schedules.LearningRateSchedule,
        "callbacks": keras.callbacks.Callback,
    }
    for kind, base in bases.items():
        if issubclass(cls, base):
            return kind
    raise TypeError(
        f"{cls.__name__} must derive from a Keras layer, loss, metric, regularizer, constraint, "
        f"initializer, optimizer, schedule or callback. Received: {cls!r}."
    )


# --- reading source text ----------------------------------------------------------------


def read_source(text: str, kind: str, file: Path, name: str | None = None) -> list[Entry]:
    """Entries of the `@component` classes in a source text, or of the one class `name`."""
    if name is None and "@component(" not in text:
        return []
    entries = []
    for node in ast.parse(text).body:
        if not isinstance(node, ast.ClassDef) or (name and node.name != name):
            continue
        facts = _card_facts(node, file)
        if facts is None and name is None:
            continue
        sections = docstring_sections(ast.get_docstring(node) or "")
        entries.append(
            Entry(
                name=node.name,
                kind=kind,
                path=f"kcatalog.{_public_module(kind)}.{node.name}",
                origin="kcatalog",
                summary=sections.pop("", "").split("\n\n")[0].replace("\n", " "),
                sections=sections,
                arguments=_arguments(node, sections.get("Args", "")),
                card=Card(**(facts or {})),
                file=str(file),
            )
        )
    return entries


def _public_module(kind: str) -> str:
    return "optimizers.schedules" if kind == "schedules" else kind


def _card_facts(node: ast.ClassDef, file: Path) -> dict | None:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("component"):
            words = {**_CARD_WORDS, "__builtins__": {"dict": dict, "tuple": tuple}}
            try:
                return {
                    k.arg: eval(ast.unparse(k.value), words)  # noqa: S307 - our own source, card words only
                    for k in decorator.keywords
                }
            except NameError as e:
                raise ValueError(
                    f"{node.name}: the card must be written with literals and the words of "
                    f"kcatalog.card. Received: {e} in {file.name}."
                ) from e
    return None


def docstring_sections(docstring: str) -> dict[str, str]:
    """A docstring by section title; the text before the first title stands under "".

    >>> docstring_sections("Adds.\\n\\nArgs:\\n    x: A number.")
    {'': 'Adds.', 'Args': 'x: A number.'}
    """
    sections, title, lines = {}, "", []
    for line in [*docstring.split("\n"), None]:
        match = _SECTION.match(line) if line is not None else None
        if line is None or match:
            sections[title] = inspect.cleandoc("\n" + "\n".join(lines))
            title, lines = match[1] if match else "", []
        else:
            lines.append(line)
    return sections


def argument_meanings(args_section: str) -> dict[str, str]:
    """The "Args:" section as argument -> meaning."""
    parts = re.split(r"^(\w+):\s*", args_section, flags=re.MULTILINE)
    return {n: " ".join(text.split()) for n, text in zip(parts[1::2], parts[2::2], strict=True)}


def _arguments(node: ast.ClassDef, args_section: str) -> tuple[Argument, ...]:
    init = next(
        (f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None
    )
    if init is None:
        return ()
    meanings, rules = argument_meanings(args_section), _rules(init)
    a = init.args
    positional = [x.arg for x in a.posonlyargs + a.args][1:]
    defaults = dict(zip(reversed(positional), reversed(a.defaults), strict=False))
    defaults |= {x.arg: d for x, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d}
    return tuple(
        Argument(
            name=name,
            required=name not in defaults,
            default=_literal(defaults[name]) if name in defaults else None,
            rule=rules.get(name, ""),
            meaning=meanings.get(name, ""),
        )
        for name in positional + [x.arg for x in a.kwonlyargs]
    )


def _literal(node: ast.expr):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _rules(init: ast.FunctionDef) -> dict[str, str]:
    """Argument -> rule, from calls such as `checks.number(self, "rate", rate, "[0, 1)")`."""
    rules = {}
    for call in ast.walk(init):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if ast.unparse(call.func.value) != "checks" or len(call.args) < 3:
            continue
        name, verb = _literal(call.args[1]), call.func.attr
        extra = _literal(call.args[3]) if len(call.args) > 3 else ""
        optional = any(k.arg == "optional" and _literal(k.value) is True for k in call.keywords)
        text = {
            "number": f"number in {extra}",
            "integer": f"integer in {extra}",
            "choice": " | ".join(map(repr, extra)) if isinstance(extra, tuple) else str(extra),
            "boolean": "True | False",
        }.get(verb, "")
        rules[name] = text + (" or None" if optional and text else "")
    return rules


# --- Keras's own parts ------------------------------------------------------------------


def _keras_entries() -> list[Entry]:
    return [_keras_entry(path, facts) for path, facts in KERAS_PARTS.items()]


def _keras_entry(path: str, facts: Card) -> Entry:
    name, node = path.rsplit(".", 1)[1], _keras_class(path)
    doc = ast.get_docstring(node) if node else ""
    sections = docstring_sections(doc or "")
    return Entry(
        name=name,
        kind=path.split(".")[-2],
        path=path,
        origin="keras",
        summary=" ".join(_PARAGRAPH.split(sections.pop("", ""))[0].split()),
        sections=sections,
        arguments=_arguments(node, sections.get("Args", "")) if node else (),
        card=facts,
    )


def _keras_class(path: str) -> ast.ClassDef | None:
    """The class statement that Keras exports under `path`."""
    for file, exported in _keras_exports(path.split(".")[1]).items():
        if path in exported:
            name = path.rsplit(".", 1)[1]
            for node in _parse(file).body:
                if isinstance(node, ast.ClassDef) and node.name == name:
                    return node
    return None


@functools.cache
def _keras_exports(kind: str) -> dict[Path, set[str]]:
    spec = importlib.util.find_spec("keras")
    root = Path(spec.submodule_search_locations[0]) / "src" / kind
    export = re.compile(r'"(keras\.[\w.]+)"')
    return {
        file: set(export.findall(file.read_text(encoding="utf-8")))
        for file in root.rglob("*.py")
        if not file.name.endswith("_test.py")
    }


@functools.cache
def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _order(entry: Entry):
    return SHELVES.index(entry.kind), entry.name.lower()
