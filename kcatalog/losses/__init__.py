"""Losses; the path of each is `kcatalog.losses.<Class>`."""

from kcatalog.losses.crammer_singer_hinge import CrammerSingerHinge
from kcatalog.losses.sparse_categorical_focal_crossentropy import SparseCategoricalFocalCrossentropy
from kcatalog.losses.triplet_semi_hard import TripletSemiHard

__all__ = ["CrammerSingerHinge", "SparseCategoricalFocalCrossentropy", "TripletSemiHard"]
