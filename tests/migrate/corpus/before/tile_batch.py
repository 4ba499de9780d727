import numpy as np
import tensorflow_addons as tfa

memory = np.arange(4, dtype="float32").reshape(2, 2)
print(tfa.seq2seq.tile_batch(memory, multiplier=2).numpy())
print(tfa.seq2seq.hardmax(memory).numpy())
