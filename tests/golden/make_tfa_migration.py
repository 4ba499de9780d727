"""Writes TensorFlow Addons' public names, and the results of the old calls in its table.

Run it from the repository's root with PYTHONPATH=. in the environment that README.md names. Rows
given as arguments are made anew, and the others stay.
"""

import inspect
import sys
import tomllib
import types
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

from tests.migrate import old_calls

FOLDER = Path(__file__).parent
TABLE = FOLDER.parent.parent / "kcatalog" / "migrate" / "tables" / "tensorflow_addons.toml"
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"
MODULES = (
    "activations callbacks image layers losses metrics optimizers rnn seq2seq text options types"
)
EMPTY = inspect.Parameter.empty


def public():
    """Return the parameters of every public name, as Python; nothing for what is not called."""
    found = {"register_all": parameters(tfa.register_all)}
    for module in MODULES.split():
        for name, value in sorted(vars(getattr(tfa, module)).items()):
            if name.startswith("_") or isinstance(value, types.ModuleType):
                continue
            if module == "options" and name == "warn_fallback":
                continue  # internal, without an underscore
            if module == "types":
                if name in ("Callable", "List", "Union", "Version"):
                    continue  # imported by the module
                found[f"{module}.{name}"] = ""
            else:
                found[f"{module}.{name}"] = parameters(value)
    return found


def parameters(value):
    s = inspect.signature(value)
    plain = [p.replace(annotation=EMPTY) for p in s.parameters.values()]
    return str(s.replace(parameters=plain, return_annotation=EMPTY))[1:-1]


def crf_loss():
    """The loss of CRFModelWrapper over the layer's potentials, as its training step has it."""
    layer = tfa.layers.CRF(3)
    layer(old_calls.DATA["series"])
    for name, w in old_calls.weights_of(layer):
        w.assign(old_calls.drawn(name, w.shape))
    _, potentials, lengths, kernel = layer(old_calls.DATA["series"])
    likelihood, _ = tfa.text.crf_log_likelihood(
        potentials, old_calls.DATA["tokens"], lengths, kernel
    )
    return {"value0": -np.asarray(likelihood)}


def first_batch():
    """The outputs that WeightNormalization has for the batch that it is initialized by."""
    kernel = old_calls.drawn("kernel", (6, 3))
    layer = tfa.layers.WeightNormalization(tf.keras.layers.Dense(3))
    layer.build((None, 6))
    layer.v.assign(kernel)
    layer._naked_clone_layer.kernel.assign(kernel)
    return {"value0": np.asarray(layer(old_calls.DATA["x"]))}


def main():
    names = public()
    np.savez_compressed(
        FOLDER / "tfa_names.npz",
        peer=np.array(PEER),
        name=np.array(list(names)),
        signature=np.array(list(names.values())),
    )
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    namespace = {"tf": tf, "tfa": tfa, "keras": tf.keras}
    results, only = {}, sys.argv[1:]
    if only:
        with np.load(FOLDER / "tfa_migration.npz") as before:
            results = {
                k: v
                for k, v in before.items()
                if not k.startswith(tuple(f"{row}(" for row in only))
            }
    results |= {f"text.CRFModelWrapper()/{k}": v for k, v in crf_loss().items()}
    name = "layers.WeightNormalization(tf.keras.layers.Dense(3)) first"
    results |= {f"{name}/{k}": v for k, v in first_batch().items()}
    wrong = 0
    calls = [(row, e, None) for row, data in rows.items() for e in data.get("examples", ())]
    for row, example, names in [*calls, *old_calls.OTHERS]:
        if only and row not in only:
            continue
        try:
            got = old_calls.outcome(row, example, f"tfa.{row}({example})", namespace, names)
        except Exception as e:
            print(f"{row}({example}): {type(e).__name__}: {str(e)[:300]}", file=sys.stderr)
            wrong = 1
            continue
        name = old_calls.name_of(row, example, names)
        results |= {f"{name}/{k}": v for k, v in got.items()}
    np.savez_compressed(FOLDER / "tfa_migration.npz", **(results | {"peer": np.array(PEER)}))
    return wrong


if __name__ == "__main__":
    sys.exit(main())
