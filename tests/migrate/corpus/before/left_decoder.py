import tensorflow as tf
import tensorflow_addons as tfa

attention = tfa.seq2seq.LuongAttention(units=16, memory=None)
cell = tfa.seq2seq.AttentionWrapper(tf.keras.layers.LSTMCell(16), attention)
sampler = tfa.seq2seq.sampler.TrainingSampler()
decoder = tfa.seq2seq.BasicDecoder(cell, sampler=sampler, output_layer=tf.keras.layers.Dense(10))
print(tfa.metrics.F1Score(num_classes=3).name)
