import numpy as np
from keras.layers import GroupNormalization

x = np.random.RandomState(1).normal(3.0, 2.0, size=(2, 4, 4, 2)).astype("float32")
norm = GroupNormalization(axis=-1, center=True, scale=True, epsilon=1e-5, groups=-1)
print(norm(x).numpy()[0, 0].round(4))
