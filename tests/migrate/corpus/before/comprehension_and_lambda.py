import numpy as np
import tensorflow_addons as tfa

x = np.random.RandomState(11).normal(size=(1, 4, 4, 6)).astype("float32")
norms = [tfa.layers.GroupNormalization(g) for g in (1, 2, 3)]
make = lambda **kw: tfa.layers.InstanceNormalization(epsilon=1e-3)
print([round(float(n(x).numpy()[0, 0, 0, 0]), 4) for n in norms], round(float(make()(x).numpy()[0, 0, 0, 0]), 4))
