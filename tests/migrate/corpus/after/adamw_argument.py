import argparse

import numpy as np
import tensorflow as tf
import kcatalog
import keras

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.01)
parser.add_argument("--wd", type=float, default=0.001)
args = parser.parse_args([])

opt = kcatalog.optimizers.DecoupledWeightDecay(
    keras.optimizers.Adam(learning_rate=args.lr), decay=args.wd
)
layer = tf.keras.layers.Dense(2, kernel_initializer="ones", use_bias=False)
layer.build((None, 2))
for _ in range(3):
    grads = [tf.ones((2, 2))]
    opt.apply_gradients(zip(grads, layer.trainable_variables))
print(layer.get_weights()[0].round(5))
