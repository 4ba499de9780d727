import numpy as np
import tensorflow_addons as tfa
import tensorflow as tf

x = np.random.RandomState(7).normal(size=(4, 3)).astype("float32")
print(round(float(tfa.losses.LiftedStructLoss(margin=0.5)(np.array([0, 0, 1, 1]), x)), 4))
quantile_loss = tfa.losses.PinballLoss(tau=0.1, reduction=tf.keras.losses.Reduction.NONE)
print(quantile_loss(x[:, :1], x[:, 1:2]).numpy().round(4))
