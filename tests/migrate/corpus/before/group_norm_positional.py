import numpy as np
import tensorflow_addons as tfa

x = np.random.RandomState(3).normal(size=(2, 5, 6)).astype("float32")
gn = tfa.layers.GroupNormalization(3, epsilon=1e-4)
print(gn(x).numpy()[0, 0].round(4))
