"""Writes the golden values of optax; README.md beside it names the environment."""

from pathlib import Path

import jax
import numpy as np
import optax
from jax import numpy as jnp

jax.config.update("jax_enable_x64", True)  # results in float64, from inputs exact in float32
FOLDER = Path(__file__).parent
PEER = f"optax {optax.__version__}, jax {jax.__version__}"
STEPS = 15


def write(name, **arrays):
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(PEER), **arrays)


def float32(x):
    return np.asarray(x, dtype="float32")


def float64(tree):
    return jax.tree.map(lambda x: jnp.asarray(x, dtype="float64"), tree)


def weights_and_gradients():
    """Weights in Keras's layout, with a zero unit each and gradients both below and above."""
    rng = np.random.default_rng(13)
    shapes = {
        "conv": (3, 2, 4, 6),
        "conv1d": (3, 4, 6),
        "dense": (5, 7),
        "dense_one_in": (1, 7),
        "bias": (7,),
        "bias_zero": (7,),
        "scalar": (),
    }
    weights = {name: float32(rng.normal(size=shape)) for name, shape in shapes.items()}
    scale = {name: 10.0 ** rng.uniform(-4, 0, size=shape[-1:]) for name, shape in shapes.items()}
    gradients = {name: float32(scale[name] * rng.normal(size=s)) for name, s in shapes.items()}
    weights["bias_zero"] *= 0
    for name in ("conv", "dense"):
        weights[name][..., 0] = 0
        gradients[name][..., 1] = 0
    return weights, gradients


def adaptive_grad_clip():
    weights, gradients = weights_and_gradients()
    clip = optax.adaptive_grad_clip(clipping=0.01, eps=1e-3)
    clipped, _ = clip.update(float64(gradients), clip.init(weights), float64(weights))
    write(
        "optax_adaptive_grad_clip",
        clipping=0.01,
        epsilon=1e-3,
        **{f"{name}_weight": w for name, w in weights.items()},
        **{f"{name}_gradient": g for name, g in gradients.items()},
        **{f"{name}_clipped": c for name, c in clipped.items()},
    )


def centralize():
    _, gradients = weights_and_gradients()
    centered, _ = optax.centralize().update(float64(gradients), optax.EmptyState())
    write(
        "optax_centralize",
        **{f"{name}_gradient": g for name, g in gradients.items()},
        **{f"{name}_centralized": c for name, c in centered.items()},
    )


def quadratic():
    """The loss w·A·w/2 - b·w: its matrix A, its vector b and a start, exact in float32."""
    rng = np.random.default_rng(3)
    root = rng.normal(size=(4, 4))
    A = float32(root @ root.T / 4 + np.eye(4) / 4)
    return A, float32(rng.normal(size=4)), float32([2, -1, 0.5, 3])


def lookahead():
    A, b, start = quadratic()
    arrays = {}
    for name, inner in (("sgd", optax.sgd(0.1, momentum=0.9)), ("adam", optax.adam(0.1, eps=1e-7))):
        wrapped = optax.lookahead(inner, sync_period=4, slow_step_size=0.3)
        w = optax.LookaheadParams.init_synced(jnp.asarray(start, dtype="float64"))
        state = wrapped.init(w)
        fast, slow, gradients = [start], [], []
        for _ in range(STEPS):
            gradients.append(float64(A) @ w.fast - float64(b))
            updates, state = wrapped.update(gradients[-1], state, w)
            w = optax.apply_updates(w, updates)
            fast.append(w.fast)
            slow.append(w.slow)
        arrays |= {f"{name}_w": fast, f"{name}_slow": slow, f"{name}_gradients": gradients}
    write("optax_lookahead", A=A, b=b, sync_period=4, slow_step_size=0.3, **arrays)


def projection_simplex():
    """Row-wise projections; a row inside, far outside, with ties, of one repeated value."""
    rng = np.random.default_rng(17)
    x = rng.normal(size=(8, 6))
    x[1] *= 20
    x[2] *= 0.05
    x[3] = [0.1, 0.2, 0.3, 0.2, 0.1, 0.1]
    x[4] = 0.7
    x[5] = [2, 2, 1, -1, 0, 2]
    x[6] -= 50
    x, cotangent, scales = float32(x), float32(rng.normal(size=x.shape)), [1.0, 2.5]
    results = []
    for scale in scales:
        rows = jax.vmap(lambda row, s=scale: optax.projections.projection_simplex(row, s))
        projected, pull_back = jax.vjp(rows, float64(x))
        results.append((projected, pull_back(float64(cotangent))[0]))
    write(
        "optax_projection_simplex",
        x=x,
        scale=scales,
        cotangent=cotangent,
        projection=[projection for projection, _ in results],
        gradient=[gradient for _, gradient in results],
    )


def multiclass_hinge():
    """Per-sample losses; the gradient is that of their sum."""
    rng = np.random.default_rng(19)
    scores, labels = float32(2 * rng.normal(size=(12, 5))), rng.integers(0, 5, size=12)
    scores[:3] -= 6  # all scores negative
    scores[3, labels[3]] += 9  # margin kept: no loss

    def total(s):
        losses = optax.losses.multiclass_hinge_loss(s, jnp.asarray(labels))
        return losses.sum(), losses

    gradient, losses = jax.grad(total, has_aux=True)(float64(scores))
    write(
        "optax_multiclass_hinge",
        scores=scores,
        labels=labels.astype("int32"),
        loss=losses,
        gradient=gradient,
    )


if __name__ == "__main__":
    adaptive_grad_clip()
    centralize()
    lookahead()
    projection_simplex()
    multiclass_hinge()
