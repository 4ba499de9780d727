"""The catalog: `@component` puts a part in, `find` and `describe` take facts out.

A part is described by its source file: decorator, docstring and signature are read as text
(`ast`), so the catalog answers without importing Keras or a backend. A test holds what the
text says against what the imported class says.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from kcatalog import KINDS, card, checks, docstrings, others, source
from kcatalog.card import Card
from kcatalog.keras_parts import KERAS_PARTS
from kcatalog.source import Argument

T = TypeVar("T")

_PACKAGE = Path(__file__).parent
# The shelves of the listing: Keras's module names, with schedules on a shelf of their own.
SHELVES = (*KINDS, "schedules")
_CARDS: dict[type, Card] = {}
_PARAGRAPH = re.compile(r"\n\s*\n")


# --- putting a part in ------------------------------------------------------------------


def component(**facts: Any) -> Callable[[type[T]], type[T]]:
    """Class decorator: registers a part in the catalog and with Keras's serialization.

    Args:
        facts: the fields of `kcatalog.card.Card`, written as literals.
    """

    def register(cls):
        import keras

        from kcatalog import derive

        _CARDS[cls] = Card(**facts)
        derive.signature(cls)
        derive.docstring(cls)
        derive.direction(cls, _CARDS[cls].better)
        if hasattr(cls, "get_config"):  # callbacks and samplers are not serialized
            derive.config(cls)
            derive.name(cls)
            package = cls.__module__.split(".")[0]
            names = [f"{package}>{cls.__name__}"]
            if package == __package__:  # the same class name may stand under two kinds
                package = ".".join(cls.__module__.split(".")[:2])
                names.append(f"{package}>{cls.__name__}")
            derive.by_name(cls, names)
            cls = keras.saving.register_keras_serializable(package)(cls)
        return cls

    return register


def card_of(cls: type) -> Card | None:
    """Return the card of a class that bears `@component` itself; None for any other class."""
    return _CARDS.get(cls)


def components() -> list[type]:
    """Every kcatalog part as an imported class, in the order of the listing."""
    return [entry.load() for entry in find(origin="kcatalog")]


# --- taking facts out -------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """All that is known of a part without importing it."""

    name: str
    kind: str
    path: str
    origin: str
    summary: str
    about: str
    sections: dict[str, str]
    arguments: tuple[Argument, ...]
    card: Card = field(default_factory=Card)
    file: str = ""

    @property
    def equation(self) -> str:
        """The idea in one line: the card's, or the first formula under Maths."""
        return self.card.equation or docstrings.first_formula(self.sections.get("Maths", ""))

    def load(self) -> type:
        """Import the class."""
        module, name = self.path.rsplit(".", 1)
        found = getattr(importlib.import_module(module), name, None)
        if found is None:
            place = module.replace(".", "/")
            raise LookupError(
                f"{name} is not exported: import it in {place}/__init__.py and add it to __all__."
            )
        return found

    def example_code(self) -> str:
        """Lines to paste: import and construct the card's example."""
        root = self.path.split(".")[0]
        call = f"{self.path}({card.render_args(self.card.example.args)})"
        names = {node.id for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Name)}
        imports = sorted({root, *names.difference(dir(builtins))})
        return "".join(f"import {m}\n" for m in reversed(imports)) + f"\npart = {call}"


@functools.cache
def catalog() -> tuple[Entry, ...]:
    """Every part: ours, those of Keras that recipes and the tuner use, those of other packages."""
    ours = []
    for kind in KINDS:
        for file in sorted((_PACKAGE / kind).rglob("*.py")):
            of_kind = "schedules" if file.parent.name == "schedules" else kind
            ours.extend(read_source(file.read_text(encoding="utf-8"), of_kind, file))
    keras = [_keras_entry(path, facts) for path, facts in KERAS_PARTS.items()]
    groups = (ours, keras, _entries_of_others())
    return tuple(e for group in groups for e in sorted(group, key=_order))


def _entries_of_others() -> list[Entry]:
    """Return the parts of other packages; what cannot be read is left out with a warning."""
    found = []
    for module, file in others.modules():
        try:
            text = file.read_text(encoding="utf-8")
            found += read_source(text, None, file, public=module)
        except (OSError, ValueError) as e:  # of a file or of its text
            warnings.warn(f"The parts in {module} are left out: {e}", stacklevel=2)
    return found


def find(
    kind: str | None = None,
    tag: str | None = None,
    text: str | None = None,
    origin: str | None = None,
) -> list[Entry]:
    """Entries that match every filter given; `text` is looked for in name and docstring."""

    def matches(e: Entry) -> bool:
        words = f"{e.name} {e.summary} {e.equation} {e.card.paper or ''}".lower()
        return (
            (kind is None or e.kind == kind)
            and (tag is None or tag in e.card.tags)
            and (text is None or text.lower() in words)
            and (origin is None or e.origin == origin)
        )

    return [e for e in catalog() if matches(e)]


def describe(name: str) -> Entry:
    """Return the entry called `name`: a class name, `losses.X`, or a full path.

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
    """Return the entry of an imported class, which may be a user's own without a card."""
    try:
        file = Path(inspect.getfile(cls))
        text = file.read_text(encoding="utf-8")
        # the class's docstring is complete, even if its family is defined elsewhere
        own = inspect.cleandoc(cls.__doc__) if cls.__doc__ else None
        found = read_source(text, kind_of(cls), file, cls.__name__, own)
    except (OSError, TypeError):  # defined at a prompt: no source to read
        found = []
    facts = found[0] if found else Entry(cls.__name__, kind_of(cls), "", "", "", "", {}, ())
    public = any(e.name == cls.__name__ and e.load() is cls for e in find(origin="kcatalog"))
    path = facts.path if public else f"{cls.__module__}.{cls.__qualname__}"
    return Entry(**{**facts.__dict__, "path": path, "card": card_of(cls) or facts.card})


def higher_is_better(metric: Any) -> bool | None:
    """Return whether more of a metric is better; None where that cannot be known.

    Args:
        metric: A metric, of kcatalog, Keras or your own, or the name under which Keras logs one,
            such as `"val_recall_at_k"`, `"mae"` or `"loss"`. A name decides nothing where the
            direction depends on the metric's arguments, or where a loss of the same name has the
            opposite one, as `keras.losses.CosineSimilarity` has.
    """
    import keras

    from kcatalog import derive

    if not isinstance(metric, str):
        return derive.higher_is_better(metric)
    name = metric.removeprefix("val_")
    name = {"acc": "accuracy", "rmse": "root_mean_squared_error"}.get(name, name)
    for entry in find(kind="metrics"):
        if entry.card.better and entry.name.lower() == name.replace("_", "").lower():
            better = entry.card.better
            return better == "higher" if isinstance(better, str) else None
    told = [False] if name == "loss" else []
    for module in (keras.metrics, keras.losses):
        try:
            found = module.get(name)
        except (ValueError, TypeError):  # no such name, or one that wants arguments
            continue
        told.append(derive.higher_is_better(found) if module is keras.metrics else False)
    return told[0] if len(set(told)) == 1 else None


def kind_of(cls: type) -> str:
    """Return the kind a class belongs to, by the Keras class it derives from."""
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
        "samplers": keras.utils.PyDataset,
    }
    for kind, base in bases.items():
        if issubclass(cls, base):
            return kind
    raise TypeError(
        f"{cls.__name__} must derive from a Keras layer, loss, metric, regularizer, constraint, "
        f"initializer, optimizer, schedule, callback or PyDataset. Received: {cls!r}."
    )


# --- entries from source text -----------------------------------------------------------


def read_source(
    text: str,
    kind: str | None,
    file: Path,
    name: str | None = None,
    docstring: str | None = None,
    public: str | None = None,
) -> list[Entry]:
    """Entries of the `@component` classes in a source text, or of the one class `name`.

    The card of a class asked for by name is left out: whoever asks has the class itself.

    Args:
        text: the source.
        kind: of all its parts, or None: each is read from the bases of the class.
        file: where the text comes from.
        name: the class.
        docstring: the class's docstring, if not the one in the text.
        public: the module that parts are imported from; by default kcatalog's of that kind.
    """
    if name is None and "@component(" not in text:
        return []
    try:
        module, entries = ast.parse(text), []
    except SyntaxError as e:
        raise source.SourceError(f"{file}, line {e.lineno}: {e.msg}") from e
    for node in module.body:
        if isinstance(node, ast.ClassDef) and name in (None, node.name):
            facts = None if name else source.read_card(node, file)
            if facts is not None or name is not None:
                of_kind = kind or source.kind(node, file)
                path = f"{public or f'kcatalog.{_public_module(of_kind)}'}.{node.name}"
                facts = facts or Card()
                entries.append(_entry(node, module, of_kind, path, facts, str(file), docstring))
    return entries


def _keras_entry(path: str, facts: Card) -> Entry:
    node, module = source.keras_class(path)
    return _entry(node, module, path.split(".")[-2], path, facts)


def _entry(node, module, kind: str, path: str, facts: Card, file="", docstring=None) -> Entry:
    sections = docstrings.sections(docstring or source.docstring(node, module))
    meanings = docstrings.argument_meanings(sections.get("Args", ""))
    summary, *about = _PARAGRAPH.split(sections.pop("", ""))
    return Entry(
        name=node.name,
        kind=kind,
        path=path,
        origin=path.split(".")[0],
        summary=" ".join(summary.split()),
        about="\n\n".join(" ".join(paragraph.split()) for paragraph in about),
        sections=sections,
        arguments=source.arguments(node, module, meanings),
        card=facts,
        file=file,
    )


def _public_module(kind: str) -> str:
    return "optimizers.schedules" if kind == "schedules" else kind


def _order(entry: Entry):
    return SHELVES.index(entry.kind), entry.name.lower()
