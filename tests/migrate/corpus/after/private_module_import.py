import numpy as np
from keras.layers import GroupNormalization
import keras

x = np.arange(24, dtype="float32").reshape(1, 2, 4, 3) ** 2
print(GroupNormalization(groups=-1)(x).numpy()[0, 1].round(4))
metric = keras.metrics.F1Score(average="macro")
metric.update_state(np.eye(3, dtype="float32"), np.eye(3, dtype="float32")[[0, 1, 1]])
print(float(metric.result()))
