import numpy as np
import tensorflow as tf
import keras

y = np.array([[1.0], [4.0], [3.0]], "float32")
p = np.array([[2.0], [4.5], [2.5]], "float32")
metric = keras.metrics.R2Score(dtype=tf.float32, name="r_square")
metric.update_state(y, p)
result = metric.result()
print(metric.name, round(float(result), 4))
