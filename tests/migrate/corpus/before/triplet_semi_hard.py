import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

embeddings = tf.math.l2_normalize(np.random.RandomState(4).normal(size=(8, 4)), axis=1)
embeddings = tf.cast(embeddings, tf.float32)
labels = np.array([0, 0, 1, 1, 2, 2, 0, 1])
loss = tfa.losses.TripletSemiHardLoss()
print(float(loss(labels, embeddings)))
print(float(tfa.losses.TripletSemiHardLoss(margin=0.3, distance_metric="squared-L2")(labels, embeddings)))
