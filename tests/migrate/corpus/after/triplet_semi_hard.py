import numpy as np
import tensorflow as tf
import kcatalog

embeddings = tf.math.l2_normalize(np.random.RandomState(4).normal(size=(8, 4)), axis=1)
embeddings = tf.cast(embeddings, tf.float32)
labels = np.array([0, 0, 1, 1, 2, 2, 0, 1])
loss = kcatalog.losses.TripletSemiHard()
print(float(loss(labels, embeddings)))
print(
    float(
        kcatalog.losses.TripletSemiHard(
            margin=0.3, distance="squared_euclidean"
        )(labels, embeddings)
    )
)
