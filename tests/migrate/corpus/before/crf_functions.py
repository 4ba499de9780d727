import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

rng = np.random.RandomState(9)
potentials = tf.constant(rng.normal(size=(2, 4, 3)), tf.float32)
transitions = tf.constant(rng.normal(size=(3, 3)), tf.float32)
tags = np.array([[0, 1, 2, 1], [1, 1, 0, 2]], "int32")
lengths = np.array([4, 2], "int32")
log_likelihood, transitions = tfa.text.crf_log_likelihood(potentials, tags, lengths, transitions)
print(log_likelihood.numpy().round(4))
best, score = tfa.text.crf_decode(potentials, transitions, lengths)
print(np.array(best)[0], np.round(score, 4))
