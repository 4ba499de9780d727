import numpy as np
import tensorflow_addons as tfa

rng = np.random.RandomState(10)
logits = rng.normal(size=(2, 3, 4)).astype("float32")
targets = np.array([[0, 1, 3], [2, 2, 0]], "int32")
weights = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], "float32")
print(round(float(tfa.seq2seq.sequence_loss(logits, targets, weights)), 4))
