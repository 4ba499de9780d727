import tensorflow as tf
import kcatalog
import keras
import tensorflow_addons as tfa

OPTIMIZERS = {
    "adam": tf.keras.optimizers.Adam,
    "adamw": lambda weight_decay, learning_rate=0.001, **kwargs: kcatalog.optimizers.DecoupledWeightDecay(
        keras.optimizers.Adam(learning_rate, **kwargs), decay=weight_decay
    ),
    "lamb": lambda learning_rate=0.001, *, weight_decay=0.0, **kwargs: kcatalog.optimizers.LAMB(
        learning_rate, coupled_decay=weight_decay, **kwargs
    ),
}
# kcatalog migrate: layers.InstanceNormalization: saved models name it; convert them with `kcatalog migrate-model`
model = tf.keras.models.load_model(
    "model.h5", custom_objects={"InstanceNormalization": tfa.layers.InstanceNormalization}
)
