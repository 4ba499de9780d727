import tensorflow as tf
import keras
import tensorflow_addons as tfa

# kcatalog migrate: seq2seq.LuongAttention: kcatalog.layers.LuongAttention(units) gets its memory and mask in the call of the AttentionWrapper around it. The guide "Coming from TensorFlow Addons" has a whole program
attention = tfa.seq2seq.LuongAttention(units=16, memory=None)
# kcatalog migrate: seq2seq.AttentionWrapper: kcatalog.layers.AttentionWrapper is a recurrent layer, not a cell: layer(inputs, memory, memory_mask=...) gives the outputs of all steps. It replaces the decoder's loop. The guide "Coming from TensorFlow Addons" has a whole program
cell = tfa.seq2seq.AttentionWrapper(tf.keras.layers.LSTMCell(16), attention)
# kcatalog migrate: seq2seq.TrainingSampler: Right tokens are a plain sequence: call kcatalog.layers.AttentionWrapper, or keras.layers.RNN around the cell, on the embedded tokens, then the output layer. The guide "Coming from TensorFlow Addons" has a whole program
sampler = tfa.seq2seq.sampler.TrainingSampler()
# kcatalog migrate: seq2seq.BasicDecoder: To train with a TrainingSampler, call kcatalog.layers.AttentionWrapper, or keras.layers.RNN around the cell, on the embedded right tokens, then the output layer. To write text, share these with kcatalog.layers.SamplingDecoder(cell, embedding, output_layer). The guide "Coming from TensorFlow Addons" has a whole program
decoder = tfa.seq2seq.BasicDecoder(cell, sampler=sampler, output_layer=tf.keras.layers.Dense(10))
print(keras.metrics.F1Score().name)
