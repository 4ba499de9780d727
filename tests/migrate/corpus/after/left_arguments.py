import tensorflow_addons as tfa

config = {"margin": 0.5}
# kcatalog migrate: losses.TripletSemiHardLoss: `**` hides arguments; write them out, then run this again
loss = tfa.losses.TripletSemiHardLoss(**config)
# kcatalog migrate: losses.TripletSemiHardLoss: `distance_metric=lambda x: x` has no counterpart; kcatalog.losses.TripletSemiHard takes a distance by its name
loss = tfa.losses.TripletSemiHardLoss(distance_metric=lambda x: x)
# kcatalog migrate: metrics.CohenKappa: `regression=True` has no counterpart; kcatalog.metrics.CohenKappa takes grades of shape (batch,) or (batch, 1) as they are; round nothing
score = tfa.metrics.CohenKappa(num_classes=3, regression=True)
# kcatalog migrate: __version__: it stands in an f-string; move it to a variable
print(f"version {tfa.__version__}")
# kcatalog migrate: tensorflow_addons: a module of TensorFlow Addons is used as a value; write a dictionary from the names that occur to what replaces them
# kcatalog migrate: losses.GIoULoss: `mode='iou'` has no counterpart; kcatalog has no loss of the plain IoU; GIoU, DIoU and CIoU also have a gradient where boxes do not meet
if tfa is None: score = tfa.losses.GIoULoss("iou")
