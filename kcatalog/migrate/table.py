"""Tables of what replaces the names of other libraries; plain data, read without Keras.

A table is a TOML file in `tables/`, one for each library. It begins with the library itself:

    [library]
    title = "TensorFlow Addons"
    version = "0.23.0"                  # the version whose names the rows are
    distribution = "tensorflow-addons"  # its name for pip
    package = "tensorflow_addons"       # its name for import
    rewrite = true                      # false: the codemod reports its names and leaves the files

Then one row for each public name, keyed by its path inside the package. Paths through private
modules (`layers.normalizations.InstanceNormalization`, `utils.types.Number`) are found, too.

    ["losses.TripletSemiHardLoss"]
    to = "kcatalog.losses.TripletSemiHard"
    signature = "margin=1.0, distance_metric='L2', name=None, **kwargs"
    rename = { distance_metric = "distance" }
    values.distance_metric = { "'L2'" = "'euclidean'", "'angular'" = "'cosine'" }
    leave.distance_metric = "Write a subclass of kcatalog.losses.InBatchLoss."
    differs = "The loss of a batch without pairs is 0, not NaN."
    test = "value"
    examples = ["", "margin=0.5", "distance_metric='angular'"]

What a row may say. *Old* arguments are those of the library, *new* ones those of the destination;
each text in quotes that stands for a value is Python source.

    to          full path of the destination. Without it, `reason` is required; uses are left.
    reason      why there is no destination.
    delete      true, with `reason`: a statement that only calls it, or sets it, is deleted.
    hint        uses are left although there is a destination: what to do by hand.
    signature   the old parameters, with their defaults. Required with `to`, unless `hint` stands.
                Arguments that the call gives beyond it pass on if it ends in `**kwargs`; otherwise
                the call is left.
    positional  how many of the first old parameters, given by position, stay so. Default 0: written
                by name.
    state       old arguments whose default the destination does not share: treated as if the call
                gave the old default.
    values      old argument -> old value -> new value. An empty new value drops the argument. The
                old value "*" is any other; "{}" in the new value is the old one's source. A value
                that is not listed leaves the call. Names are written by their full path
                (`keras.losses.Reduction.NONE`, with `keras` for `tensorflow.keras`).
    numbers     old arguments that must be numbers. A call that gives a schedule, a function or text
                is left; names are looked up in their file.
    leave       old argument -> what to do by hand, shown where a call is left for it. An argument
                with neither `values` nor `numbers` always leaves the call.
    drop        old arguments that do not pass on.
    rename      old argument -> new argument.
    compute     new argument -> expression over old arguments, such as
                `{ weight_decay = "{weight_decay} / {learning_rate}" }`. It is written if the call
                gives one of the arguments that it consumes (they stand in `drop`, or have the
                new argument's name), or any, if it consumes none; arguments that the call leaves
                out have their old default. An argument used twice must be cheap to repeat: a name
                or a literal. Full paths below functools, keras, kcatalog and numpy are
                imported.
    add         new argument -> value, always written, unless an old argument has become it.
    into        old argument whose own call receives the new arguments and replaces the whole call:
                `MovingAverage(Adam(1e-3))` -> `Adam(1e-3, use_ema=True)`. Left if it is no call.
    expression  what is written instead of the new call, which is `{call}` in it; `{x}` is an old
                argument.
    reference   what a use without a call becomes (`activation=tfa.activations.gelu`). It must do
                the same as the old name, or raise an error, however it is called. Default: `to`
                if calls change nothing but the name; otherwise such uses are left.
    subclass    true: a subclass may derive from the destination instead. Default: such uses are
                left.
    gone        attribute of an old object -> what to do by hand. It is marked in each file in which
                the row is rewritten: `"swap_weights()"` where it is called, `"decay_var_list"`
                where it is read, set, or an argument of a call.
    otherwise   a table of these same fields, tried where the row leaves a call. `differs`, `also`
                and `todo` are those of the row, unless it has its own.
    differs     what differs in meaning although it is rewritten; shown on the page and by the
                command, and measured by the row's test.
    also        a hint for whoever migrates, on the page and shown by the command.
    todo        what the user must do besides, although it is rewritten: on the page, and marked in
                the file as open.
    test        the test that shows the row to be true: the name of a generic one, or of a function.
    examples    arguments of old calls that the test makes.

An old argument that no field names passes on under its own name.

Rules for arguments that the rows of a module share stand under `common`. They hold for each row
whose signature has the argument or ends in `**kwargs`, unless the row itself has a rule for it:

    [common.optimizers]
    rename = { lr = "learning_rate" }
    leave.decay = "Give a schedule as the learning rate."
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
import tomllib
from pathlib import Path

from kcatalog.migrate.row import PLACEHOLDER, Library, Row, Signature

TABLES = Path(__file__).parent / "tables"
_RULES = ("values", "leave", "rename")  # tables of old arguments
_LISTS = ("state", "numbers", "drop")  # lists of old arguments


class TableError(ValueError):
    """A table that contradicts itself."""


def names() -> list[str]:
    """Return the keys of all libraries that have a table."""
    return sorted(f.stem for f in TABLES.glob("*.toml"))


@functools.cache
def load(key: str) -> Library:
    """Read and check the table of a library."""
    return parse((TABLES / f"{key}.toml").read_text(encoding="utf-8"), key)


def parse(text: str, key: str) -> Library:
    """Read and check a table's text."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise TableError(f"{key}: {e}") from e
    about = data.pop("library", {})
    fields = {f.name: f.type for f in dataclasses.fields(Library)} | {"rewrite": "bool"}
    _known(f"{key}: [library]", about, set(fields) - {"key", "rows"})
    missing = {"title", "version", "distribution", "package"} - set(about)
    if missing:
        raise TableError(f"{key}: [library] lacks {', '.join(sorted(missing))}.")
    common = data.pop("common", {})
    for module, rules in common.items():
        _known(f"{key}: [common.{module}]", rules, {*_RULES, *_LISTS})
    rows = {name: _row(key, name, fields, common) for name, fields in data.items()}
    return Library(key, rows=rows, **({"rewrite": True} | about))


def _row(key: str, name: str, data: dict, common: dict, outer: Row | None = None) -> Row:
    """Make and check one row; `outer` is the row of which it is the `otherwise`."""
    place = f"{key}: [{name}]"
    if not isinstance(data, dict):
        raise TableError(f'{place} must be a table: write ["{name}"] with the quotes.')
    data = dict(data)
    _known(place, data, {f.name for f in dataclasses.fields(Row)} - {"name"})
    otherwise = data.pop("otherwise", None)
    try:
        signature = data.get("signature")
        data["signature"] = outer.signature if outer else None
        if outer:
            data = {x: getattr(outer, x) for x in ("differs", "also", "todo")} | data
        if signature is not None:
            data["signature"] = Signature.parse(signature)
    except (SyntaxError, ValueError) as e:
        raise TableError(f"{place}: signature: {e}") from e
    for field in (*_LISTS, "examples"):
        if not isinstance(data.get(field, []), list):
            raise TableError(f"{place}: {field} must be a list.")
    if data["signature"]:
        _merge(data, common.get(name.rpartition(".")[0], {}))
    for field in (*_LISTS, "examples"):
        data[field] = tuple(data.get(field, ()))
    row = Row(name, **data)
    _check(place, row, outer)
    if otherwise is not None:
        row = dataclasses.replace(row, otherwise=_row(key, name, otherwise, common, row))
    return row


def _merge(data: dict, rules: dict) -> None:
    """Add the common rules for arguments that a row can have and says nothing about itself."""
    signature = data["signature"]
    rules_of_row = (*_RULES, "numbers", "drop", "compute")
    own = {x for f in rules_of_row for x in data.get(f, ())}

    def holds(x):
        return x not in own and (x in signature.defaults or signature.extra)

    for field, rule in rules.items():
        if field in _LISTS:
            data[field] = [*data.get(field, ()), *filter(holds, rule)]
        else:
            data[field] = {x: v for x, v in rule.items() if holds(x)} | data.get(field, {})


def _check(place: str, row: Row, outer: Row | None) -> None:
    """Refuse a row that says too little, or what cannot be done."""

    def require(condition, message):
        if not condition:
            raise TableError(f"{place}: {message}")

    require(row.to or row.reason, "`to` or `reason` is required.")
    if not row.to:
        rules = ("values", "drop", "rename", "compute", "add", "into", "expression", "reference")
        given = [field for field in rules if getattr(row, field)]
        require(not given, f"a row without `to` cannot have {', '.join(given)}.")
        return
    require(not row.delete, "`delete` is for names without a destination, but there is `to`.")
    require(not row.reason, "`reason` says why there is no destination, but there is `to`.")
    require(re.fullmatch(r"\w+(\.\w+)+", row.to), f"`to` must be a full path. Received: {row.to}")
    require(row.test or outer, "`test` is required with `to`.")
    require(row.signature or row.hint, "`signature` or `hint` is required with `to`.")
    if row.hint:
        return
    s = row.signature
    require(0 <= row.positional <= len(s.names), "`positional` exceeds the signature.")
    used = {x for f in (*_RULES, *_LISTS) for x in getattr(row, f)} | {row.into} - {None}
    strange = used - set(s.names)
    require(s.extra or not strange, f"the signature lacks {', '.join(sorted(strange))}.")
    for x in row.state:
        require(s.defaults.get(x) is not None, f"`state`: {x} has no old default.")
    for new, text in [*row.compute.items(), ("expression", row.expression or "")]:
        for x in PLACEHOLDER.findall(text):
            known = x in s.defaults or s.extra or (x == "call" and new == "expression")
            require(x and known, f"{new}: the signature lacks {x!r}.")
    texts = {f"compute.{k}": v for k, v in row.compute.items()}
    texts |= {f"add.{k}": v for k, v in row.add.items()}
    texts |= {f"values.{x}": v for x, m in row.values.items() for v in m.values() if v}
    texts |= {f: getattr(row, f) for f in ("expression", "reference") if getattr(row, f)}
    texts |= {f"values.{x}, a key": k for x, m in row.values.items() for k in m if k != "*"}
    texts |= {f"examples: {e!r}": f"f({e})" for e in row.examples}
    for field, text in texts.items():
        try:
            ast.parse(PLACEHOLDER.sub(lambda m: m[1] or "_", text), mode="eval")
        except SyntaxError:
            require(False, f"{field} must be Python. Received: {text}")


def _known(place: str, given: dict, fields: set[str]) -> None:
    unknown = sorted(set(given) - fields)
    if unknown:
        raise TableError(
            f"{place}: unknown {', '.join(unknown)}. Known: {', '.join(sorted(fields))}."
        )
