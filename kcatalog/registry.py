"""The catalog: `@component` puts a part in, `find` and `describe` take facts out.

A part is described by its source file: decorator, docstring and signature are read as text
(`ast`), so the catalog answers without importing Keras or a backend. A test holds what the
text says against what the imported class says.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kcatalog import KINDS, checks, others, search
from kcatalog.card import Card
from kcatalog.entry import Entry, of_keras, read_source
from kcatalog.keras_parts import KERAS_PARTS

T = TypeVar("T")

_PACKAGE = Path(__file__).parent
# The shelves of the listing: Keras's module names, with schedules on a shelf of their own.
SHELVES = (*KINDS, "schedules")
_CARDS: dict[type, Card] = {}


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


@functools.cache
def catalog() -> tuple[Entry, ...]:
    """Every part: ours, those of Keras that recipes and the tuner use, those of other packages."""
    ours = []
    for kind in KINDS:
        for file in sorted((_PACKAGE / kind).rglob("*.py")):
            of_kind = "schedules" if file.parent.name == "schedules" else kind
            ours.extend(read_source(file.read_text(encoding="utf-8"), of_kind, file))
    keras = [of_keras(path, facts) for path, facts in KERAS_PARTS.items()]
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
    """Entries that match every filter given; `kcatalog.search` says where `text` is looked for."""

    def matches(e: Entry) -> bool:
        return (
            (kind is None or e.kind == kind)
            and (tag is None or tag in e.card.tags)
            and (origin is None or e.origin == origin)
            and (text is None or search.matches(e, text))
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


def _order(entry: Entry):
    return SHELVES.index(entry.kind), entry.name.lower()
