"""Golden values of TensorFlow Addons' linear-chain CRF: `python make_tfa_crf.py`."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

BATCH, STEPS, TAGS = 5, 6, 4

rng = np.random.default_rng(0)
u = rng.normal(size=(BATCH, STEPS, TAGS)).astype("float32")
A = rng.normal(size=(TAGS, TAGS)).astype("float32")
tags = rng.integers(0, TAGS, (BATCH, STEPS)).astype("int32")
lengths = np.array([6, 4, 1, 5, 2], "int32")
bitmap = rng.random((BATCH, STEPS, TAGS)) < 0.6
bitmap[..., 0] = True
cotangent = rng.normal(size=BATCH).astype("float32")

tensors = tf.constant(u), tf.constant(A)
with tf.GradientTape() as tape:
    tape.watch(tensors)
    likelihood, _ = tfa.text.crf_log_likelihood(tensors[0], tags, lengths, tensors[1])
    total = tf.reduce_sum(likelihood * cotangent)
gradients = tape.gradient(total, tensors)
decoded, best = tfa.text.crf_decode(u, A, lengths)
constrained, constrained_best = tfa.text.crf_constrained_decode(u, bitmap, A, lengths)
viterbi, viterbi_best = tfa.text.viterbi_decode(u[0], A)

np.savez(
    Path(__file__).with_name("tfa_crf.npz"),
    peer=f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}",
    potentials=u,
    transitions=A,
    tags=tags,
    lengths=lengths,
    bitmap=bitmap,
    cotangent=cotangent,
    log_norm=tfa.text.crf_log_norm(u, lengths, A),
    score=tfa.text.crf_sequence_score(u, tags, lengths, A),
    multitag_score=tfa.text.crf_multitag_sequence_score(u, bitmap, lengths, A),
    log_likelihood=likelihood,
    log_likelihood_gradient_potentials=gradients[0],
    log_likelihood_gradient_transitions=gradients[1],
    decoded=decoded,
    decoded_score=best,
    constrained=constrained,
    constrained_score=constrained_best,
    viterbi=viterbi,
    viterbi_score=viterbi_best,
)
