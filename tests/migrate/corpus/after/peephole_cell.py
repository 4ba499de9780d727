import numpy as np
from tensorflow.keras.layers import RNN
from kcatalog.layers import PeepholeLSTMCell

layer = RNN(PeepholeLSTMCell(2, kernel_initializer="ones", recurrent_initializer="zeros"))
print(layer(np.ones((1, 3, 1), "float32")).numpy().round(4))
