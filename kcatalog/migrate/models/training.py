"""Compiles a new model as the old one was, and lets its optimizer go on where the old stopped."""

from __future__ import annotations

import keras
import numpy as np

import kcatalog
from kcatalog.migrate.models.assign import Link
from kcatalog.migrate.models.error import ModelError
from kcatalog.migrate.models.old_file import Entry, OldFile
from kcatalog.migrate.models.old_objects import OldObjects, name_of

# old name of what an optimizer keeps beside each weight -> possible new names
_SLOTS = {
    "m": ("m", "momentum"),
    "v": ("v", "velocity", "norm", "s"),
    "vhat": ("velocity_hat",),
    "u": ("norm",),
    "momentum": ("momentum",),
    "rms": ("velocity",),
    "velocity": ("velocity",),
    "mg": ("average_gradient",),
    "average_gradient": ("average_gradient",),
    "accumulator": ("accumulator",),
    "accum_grad": ("accumulated_grad",),
    "accum_var": ("accumulated_delta_var",),
    "linear": ("linear",),
    "slow": ("slow",),
    "average": ("average",),
}
# what optimizers of Keras 2.11 and later number in `.keras`: lists of slots, weight by weight
_NUMBERED = {
    "Adam": (("m", "v"), ("vhat",)),
    "AdamW": (("m", "v"), ("vhat",)),
    "Adamax": (("m", "u"),),
    "SGD": (("momentum",),),
    "RMSprop": (("velocity",), ("momentum",), ("average_gradient",)),
    "Adagrad": (("accumulator",),),
}


def compile_as(model: keras.Model, old: OldFile, links: list[Link], objects: OldObjects) -> None:
    """Compile a model with the old optimizer, loss and metrics, and restore the optimizer's state.

    What cannot be restored is noted: the model has its weights in any case.
    """
    saved = old.training
    if not saved.get("optimizer"):
        return
    try:
        optimizer = objects.revive(saved["optimizer"], "optimizers")
        loss = _each(saved.get("loss"), "losses", objects)
        metrics = {
            k: _each(_flat(saved.get(k), model), "metrics", objects)
            for k in ("metrics", "weighted_metrics")
        }
    except ModelError as e:
        objects.note(f"The new model is not compiled. {e}")
        return
    weights = saved.get("loss_weights")
    model.compile(optimizer, loss, loss_weights=weights, **metrics)
    model.optimizer.build(model.trainable_variables)
    if not old.state:
        old_one = saved["optimizer"]
        module = old_one.get("module", "") if isinstance(old_one, dict) else ""
        if module.startswith("tensorflow_addons") or "legacy" in module:
            objects.note(
                "The optimizer starts anew: of TensorFlow Addons' and legacy optimizers .keras "
                "files hold no state, .h5 files do."
            )
        return
    try:
        _restore(model, old, links, objects)
    except ModelError as e:
        objects.note(f"The optimizer starts anew. {e}")


def _each(value, kind: str, objects: OldObjects):
    """Revive each object of a structure of lists and dictionaries."""
    if isinstance(value, list):
        return [_each(v, kind, objects) for v in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {k: _each(v, kind, objects) for k, v in value.items()}
    return objects.revive(value, kind)


def _flat(value, model):
    """Return metrics of one output without the list of outputs that .h5 files put around them."""
    single = len(model.outputs) == 1 and isinstance(value, list)
    return value[0] if single and len(value) == 1 and isinstance(value[0], list) else value


def _restore(model, old: OldFile, links: list[Link], objects: OldObjects) -> None:
    optimizer = model.optimizer
    steps, slots = _slots(old, links)
    by_name = {v.name: v for v in optimizer.variables}
    new, missing = [], set()
    for slot, arrays in slots.items():
        for link in links:
            trained = [w for w in link.new if w.trainable]
            if not trained or all(arrays.get(e.name) is None for e in link.old):
                continue
            values = link.convert([arrays.get(e.name) for e in link.old])
            for weight, value in zip(link.new, values, strict=True):
                if not weight.trainable or value is None:
                    continue
                names = [f"{weight.path.replace('/', '_')}_{s}" for s in _SLOTS.get(slot, ())]
                found = next((by_name[n] for n in names if n in by_name), None)
                if slot == "m" and isinstance(optimizer, kcatalog.optimizers.NovoGrad):
                    value = -value / float(optimizer.learning_rate)  # Addons' m holds steps
                if found is None or value.size != np.prod(found.shape, dtype=int):
                    missing.add(slot)
                else:
                    new.append((found, value.reshape(found.shape)))
    for variable, value in new:
        variable.assign(value)
    for variable in optimizer.variables:
        if variable.name in ("iteration", "steps"):
            variable.assign(np.full(variable.shape, steps))
    if missing:
        objects.note(f"{type(optimizer).__name__} does not keep {', '.join(sorted(missing))}.")


def _slots(old: OldFile, links: list[Link]) -> tuple[int, dict[str, dict[str, np.ndarray]]]:
    """Return the number of steps, and for each slot the arrays by the names of the old weights."""
    first, *rest = old.state
    steps = int(first.value)
    if first.name.startswith("vars/"):
        return steps, _numbered(old, rest, links)
    slots = {}
    for entry in rest:
        parts = entry.name.split("/")
        if first.name == "iteration":  # Adam/m/dense/kernel
            slot, weight = parts[1], "/".join(parts[2:])
        else:  # Adam/dense/kernel/m
            slot, weight = parts[-1], "/".join(parts[1:-1])
        slots.setdefault(slot, {})[weight] = entry.value
    return steps, slots


def _numbered(old: OldFile, rest: list[Entry], links: list[Link]) -> dict:
    optimizer = old.training["optimizer"]
    name = optimizer if isinstance(optimizer, str) else name_of(optimizer)
    groups = {k.lower(): v for k, v in _NUMBERED.items()}.get(name.lower())
    weights = [e for link in links for e in link.old if _trained(e, link)]
    if groups is None or any(len(link.old) != len(link.new) for link in links):
        raise ModelError(f"The file numbers the state of {name}, so that it cannot be told apart.")
    slots, values = {}, iter(rest)
    for group in groups:
        for entry in weights:
            for slot in group:
                value = next(values, None)
                if value is None:
                    return slots
                if value.value.shape != entry.value.shape:
                    raise ModelError(f"The state of {name} does not fit {entry.name}.")
                slots.setdefault(slot, {})[entry.name] = value.value
    return slots


def _trained(entry: Entry, link: Link) -> bool:
    """Tell whether the optimizer has trained an old array."""
    i = next(i for i, e in enumerate(link.old) if e is entry)
    return link.new[i].trainable
