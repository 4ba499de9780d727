import tensorflow_addons as tfa

config = {"margin": 0.5}
loss = tfa.losses.TripletSemiHardLoss(**config)
loss = tfa.losses.TripletSemiHardLoss(distance_metric=lambda x: x)
score = tfa.metrics.CohenKappa(num_classes=3, regression=True)
print(f"version {tfa.__version__}")
if tfa is None: score = tfa.losses.GIoULoss("iou")
