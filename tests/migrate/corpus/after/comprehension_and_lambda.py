import numpy as np
import keras

x = np.random.RandomState(11).normal(size=(1, 4, 4, 6)).astype("float32")
norms = [keras.layers.GroupNormalization(g) for g in (1, 2, 3)]
make = lambda **kw: keras.layers.GroupNormalization(epsilon=1e-3, groups=-1)
print([round(float(n(x).numpy()[0, 0, 0, 0]), 4) for n in norms], round(float(make()(x).numpy()[0, 0, 0, 0]), 4))
