"""A recipe's search space, and the values a user sets by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kcatalog import checks
from kcatalog.recipe.terminal.errors import RecipeError

if TYPE_CHECKING:
    import keras_tuner  # which the command line does without until it builds a model


def parse(settings: list[str]) -> dict[str, str]:
    """Parse `--set name=value` options into name -> text.

    >>> parse(["loss=CrammerSingerHinge", "filters=32"])
    {'loss': 'CrammerSingerHinge', 'filters': '32'}
    """
    pairs = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not (name and equals and value):
            raise RecipeError(f"--set must be name=value. Received: {setting!r}.")
        pairs[name.strip()] = value.strip()
    return pairs


def space(
    build: Callable[..., Any], overrides: dict[str, str], values: dict[Any, Any] | None = None
) -> keras_tuner.HyperParameters:
    """Return the hyperparameters `build` asks for, with the user's values in place of ranges.

    Args:
        build: takes hyperparameters and builds a model.
        overrides: name -> the user's value as text.
        values: values to start from instead of the defaults, such as tuned ones.
    """
    import keras_tuner

    wanted = dict(overrides)
    hp = keras_tuner.HyperParameters()
    hp.values.update(values or {})
    while True:
        _build(build, hp, pinned=len(wanted) < len(overrides))
        found = {h.name for h in hp.space} & set(wanted)
        if not found:
            break
        hp = _fixed(hp, {name: wanted.pop(name) for name in found})
    if wanted:
        name, known = next(iter(wanted)), [h.name for h in hp.space]
        raise RecipeError(f"--set {name}: no such hyperparameter. {checks.closest(name, known)}")
    for name in overrides:
        if not hp.is_active(name):
            conditions = next(h.conditions for h in hp.space if h.name == name)
            needed = " ".join(f"--set {c.name}={c.values[0]}" for c in conditions)
            raise RecipeError(f"--set {name} has no effect by itself. Add {needed}.")
    return hp


def with_values(
    build: Callable[..., Any], overrides: dict[str, str], values: dict[Any, Any]
) -> keras_tuner.HyperParameters:
    """Return the `space` that starts from a run.toml's values, which are checked first."""
    values = {name: value for name, value in values.items() if name not in overrides}
    known = {h.name: h for h in space(build, overrides).space}
    for name in known.keys() & values.keys():
        values[name] = _value(known[name], str(values[name]), "--config:")
    hp = space(build, overrides, values)
    known = [h.name for h in hp.space]
    for name in values:
        if name not in known:
            hint = checks.closest(name, known)
            raise RecipeError(f"--config: {name}: no such hyperparameter. {hint}")
        if not hp.is_active(name):
            hp.values.pop(name, None)
    return hp


def check_epochs(space: keras_tuner.HyperParameters, asked: int | None, tuner: str) -> None:
    """Refuse other options for the epochs where a recipe tunes them."""
    epochs = next((h for h in space.space if h.name == "epochs"), None)
    if epochs is None:
        return
    if asked:
        raise RecipeError(
            "--epochs and --trial-epochs must be left out: this recipe has a hyperparameter "
            f'"epochs". Received: {asked}. Use --set epochs={asked}.'
        )
    from keras_tuner.engine.hyperparameters import Fixed

    fixed = isinstance(epochs, Fixed)
    if fixed and epochs.value < 1:
        raise RecipeError(f"--set epochs must be at least 1. Received: {epochs.value}.")
    if tuner == "hyperband" and not fixed:
        raise RecipeError(
            "--tuner hyperband chooses how long trials last, and so does this recipe's "
            'hyperparameter "epochs". Add --set epochs=N, the length of the longest trials, or '
            "use another tuner."
        )


def described(hp) -> dict[str, str]:
    """Return the values that each hyperparameter may take, in words.

    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> _ = hp.Choice("units", [16, 32]), hp.Float("rate", 1e-3, 0.1, sampling="log")
    >>> described(hp)
    {'units': '[16, 32]', 'rate': '0.001 to 0.1 (log)'}
    """
    found: dict[str, list[str]] = {}
    for h in hp.space:  # one name may stand under several conditions
        if (words := _words(h)) not in found.setdefault(h.name, []):
            found[h.name].append(words)
    return {name: " or ".join(words) for name, words in found.items()}


def _words(h) -> str:
    if not _ranged(h):
        return str(list(h.values))
    how = [f"step {h.step:g}"] if h.step not in (None, 1) else []
    how += [h.sampling] if h.sampling != "linear" else []
    return f"{h.min_value:g} to {h.max_value:g}" + (f" ({', '.join(how)})" if how else "")


def _ranged(h) -> bool:
    return hasattr(h, "min_value")


def not_offered(hp, names: list[str]) -> list[str]:
    """Return a sentence for each of these hyperparameters whose value is outside of its range."""
    found = []
    for h in hp.space:
        value = hp.values.get(h.name)
        if h.name not in names or value is None or not hp.is_active(h):
            continue
        if not (h.min_value <= value <= h.max_value if _ranged(h) else value in h.values):
            found.append(f"{h.name} is {value} in this run, and must be of {_words(h)} now")
    return found


def _build(build: Callable[..., Any], hp, pinned: bool) -> None:
    try:
        build(hp)
    except ValueError as e:
        if pinned:
            raise RecipeError(f"--set: the model cannot be built so. {e}") from e
        raise


def _fixed(hp, overrides: dict[str, str]) -> keras_tuner.HyperParameters:
    """Return the same space with some hyperparameters pinned to the user's values."""
    import keras_tuner

    pinned, types = keras_tuner.HyperParameters(), keras_tuner.engine.hyperparameters
    pinned.values.update(hp.values)
    for h in hp.space:
        if h.name in overrides:
            value = _value(h, overrides[h.name])
            pinned.values[h.name] = value
            h = types.Fixed(h.name, value, conditions=h.conditions)
        pinned.merge([h], overwrite=False)
    for name in list(pinned.values):  # what belonged to a part that is no longer chosen
        if name in {h.name for h in pinned.space} and not pinned.is_active(name):
            del pinned.values[name]
    return pinned


def _value(h, text: str, option: str = "--set"):
    """Return the user's text as a value of the hyperparameter's type."""
    from keras_tuner.engine import hyperparameters as types

    if isinstance(h, types.Choice | types.Boolean | types.Fixed):
        values = [False, True] if isinstance(h, types.Boolean) else h.values
        for value in values:
            if str(value).lower() == text.lower() or _same_number(value, text):
                return value
        raise RecipeError(
            f"{option} {h.name} must be one of {', '.join(map(str, values))}. Received: {text!r}. "
            f"{checks.closest(text, map(str, values))}"
        )
    kind = int if isinstance(h, types.Int) else float
    try:
        return kind(text)
    except ValueError as e:
        word = "a whole number" if kind is int else "a number"
        raise RecipeError(f"{option} {h.name} must be {word}. Received: {text!r}.") from e


def _same_number(value, text: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return float(text) == value
    except ValueError:
        return False
