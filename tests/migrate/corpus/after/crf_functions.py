import numpy as np
import tensorflow as tf
import kcatalog
import keras

rng = np.random.RandomState(9)
potentials = tf.constant(rng.normal(size=(2, 4, 3)), tf.float32)
transitions = tf.constant(rng.normal(size=(3, 3)), tf.float32)
tags = np.array([[0, 1, 2, 1], [1, 1, 0, 2]], "int32")
lengths = np.array([4, 2], "int32")
log_likelihood, transitions = (kcatalog.ops.crf_log_likelihood(
    potentials=potentials,
    tags=tags,
    mask=keras.ops.less(
        keras.ops.arange(keras.ops.shape(potentials)[1]), keras.ops.expand_dims(lengths, 1)
    ),
    transitions=transitions,
), transitions)
print(log_likelihood.numpy().round(4))
best, score = kcatalog.ops.crf_decode(
    potentials=potentials,
    transitions=transitions,
    mask=keras.ops.less(
        keras.ops.arange(keras.ops.shape(potentials)[1]), keras.ops.expand_dims(lengths, 1)
    ),
)
print(np.array(best)[0], np.round(score, 4))
