"""Models of Keras 2, rebuilt for Keras 3: what `kcatalog migrate-model` runs.

old_file.py        reads files of Keras 2: config, weights, the optimizer's state
rebuild.py         builds the new model from the old config
old_objects.py     makes layers, losses, metrics and optimizers of their old configs
arguments.py       new arguments of an old config, by the row of a table
old_layers.py      layers that are called otherwise than the old ones
old_operations.py  calls of TensorFlow in an old model
layouts.py         weights that are laid out otherwise
assign.py          gives the weights to the new model
training.py        compiles it, with the optimizer where it stopped
migrate.py         all of it, from file to file
"""
