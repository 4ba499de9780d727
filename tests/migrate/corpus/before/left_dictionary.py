import tensorflow as tf
import tensorflow_addons as tfa

OPTIMIZERS = {
    "adam": tf.keras.optimizers.Adam,
    "adamw": tfa.optimizers.AdamW,
    "lamb": tfa.optimizers.LAMB,
}
model = tf.keras.models.load_model(
    "model.h5", custom_objects={"InstanceNormalization": tfa.layers.InstanceNormalization}
)
