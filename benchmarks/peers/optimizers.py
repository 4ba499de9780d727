"""A step of a peer's optimizers, for `benchmarks/optimizers.py`, in the peer's environment.

    python optimizers.py optax < job.json

The job names our parts: {"names": ["Yogi"], "shapes": [[64, 64]], "steps": 6, "rounds": 5}. Those
that the peer has, by our name in its way of writing or by `OTHER`, take turns with its Adam; each
gets the peer's default settings. Prints {"Yogi": {"ms": ..., "processor": ...}} as the last line.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from turns import measure, milliseconds, ratios

LR = 1e-3
OTHER = {
    "optax": {"RectifiedAdam": "radam", "AdaBelief": "adabelief", "AdEMAMix": "ademamix"},
    "pytorch_optimizer": {"RectifiedAdam": "radam", "LazyAdam": ""},
    "TFA": {"StochasticWeightAveraging": "SWA"},
}


def snake(name):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def optax_steps(shapes):
    """Return a function from a name to a step, or to None."""
    import jax
    import optax

    gradients = [jax.numpy.asarray(g) for g in arrays(shapes)]

    def make(name):
        known = OTHER["optax"].get(name, snake(name))
        made = getattr(optax, known, None) or getattr(optax.contrib, known, None)
        if name == "GradientCentralization":
            made = lambda lr: optax.chain(optax.centralize(), optax.adam(lr))  # noqa: E731
        if name == "AdaptiveGradientClipping":
            made = lambda lr: optax.chain(optax.adaptive_grad_clip(0.01), optax.adam(lr))  # noqa: E731
        if name == "Lookahead":
            made = lambda lr: optax.lookahead(optax.adam(lr), 6, 0.5)  # noqa: E731
        if name == "ScheduleFree":
            made = optax.contrib.schedule_free_adamw
        if not callable(made):
            return None
        optimizer = made(LR)
        weights = [jax.numpy.ones(s) for s in shapes]
        if name == "Lookahead":
            weights = optax.LookaheadParams.init_synced(weights)

        def update(state, weights):
            changes, state = optimizer.update(gradients, state, weights)
            return state, optax.apply_updates(weights, changes)

        update = jax.jit(update, donate_argnums=(0, 1))
        held = [optimizer.init(weights), weights]

        def step():
            held[:] = update(*held)
            jax.block_until_ready(held)

        return step

    return make


def torch_steps(shapes):
    import pytorch_optimizer
    import torch

    gradients = [torch.from_numpy(g) for g in arrays(shapes)]

    def make(name):
        known = OTHER["pytorch_optimizer"].get(name, name).lower()
        weights = [torch.nn.Parameter(torch.ones(s)) for s in shapes]
        for w, g in zip(weights, gradients, strict=True):
            w.grad = g.clone()
        if name == "Adam":
            return torch.optim.Adam(weights, lr=LR).step
        if name == "Lookahead":
            return pytorch_optimizer.Lookahead(torch.optim.Adam(weights, lr=LR)).step
        if known not in pytorch_optimizer.get_supported_optimizers():
            return None
        return pytorch_optimizer.load_optimizer(known)(weights, lr=LR).step

    return make


def tfa_steps(shapes):
    import tensorflow as tf
    import tensorflow_addons as tfa

    gradients = [tf.constant(g) for g in arrays(shapes)]

    def make(name):
        known = getattr(tfa.optimizers, OTHER["TFA"].get(name, name), None)
        adam = tf.keras.optimizers.legacy.Adam(LR)
        if name == "Adam":
            optimizer = adam
        elif known is None:
            return None
        elif name in ("Lookahead", "MovingAverage", "StochasticWeightAveraging"):
            optimizer = known(adam)
        else:
            optimizer = known(learning_rate=LR)
        weights = [tf.Variable(tf.ones(s)) for s in shapes]

        @tf.function
        def step():
            optimizer.apply_gradients(zip(gradients, weights, strict=True))

        return step

    return make


def arrays(shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=s).astype("float32") for s in shapes]


def turn(step, steps):
    def several():
        for _ in range(steps):
            step()

    return several


def main():
    job = json.loads(sys.stdin.read())
    libraries = {"optax": optax_steps, "pytorch_optimizer": torch_steps, "TFA": tfa_steps}
    make, rows = libraries[sys.argv[1]](job["shapes"]), {}
    for name in job["names"]:
        try:
            step = make(name)
            if step is None:
                continue
            both = {name: turn(step, job["steps"]), "Adam": turn(make("Adam"), job["steps"])}
            times = measure(both, job["rounds"])
        except Exception as e:
            print(f"{name}: {type(e).__name__}: {e}", file=sys.stderr)
            continue
        rows[name] = {
            "ms": milliseconds(times[name]) / job["steps"],
            "processor": ratios(times[name], times["Adam"])[1],
        }
        rows["Adam"] = {"ms": milliseconds(times["Adam"]) / job["steps"], "processor": 1.0}
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
