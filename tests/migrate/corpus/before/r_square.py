import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

y = np.array([[1.0], [4.0], [3.0]], "float32")
p = np.array([[2.0], [4.5], [2.5]], "float32")
metric = tfa.metrics.r_square.RSquare(dtype=tf.float32)
metric.update_state(y, p)
result = metric.result()
print(metric.name, round(float(result), 4))
