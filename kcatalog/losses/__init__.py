"""Losses; the path of each is `kcatalog.losses.<Class>`."""

from kcatalog.losses.crammer_singer_hinge import CrammerSingerHinge
from kcatalog.losses.margin_ranking import MarginRanking
from kcatalog.losses.modified_huber import ModifiedHuber
from kcatalog.losses.perceptron import Perceptron
from kcatalog.losses.poly_crossentropy import PolyCrossentropy
from kcatalog.losses.ramp import Ramp
from kcatalog.losses.smoothed_hinge import SmoothedHinge
from kcatalog.losses.sparse_categorical_focal_crossentropy import SparseCategoricalFocalCrossentropy
from kcatalog.losses.symmetric_crossentropy import SymmetricCrossentropy
from kcatalog.losses.triplet_semi_hard import TripletSemiHard
from kcatalog.losses.weston_watkins_hinge import WestonWatkinsHinge

__all__ = [
    "CrammerSingerHinge",
    "MarginRanking",
    "ModifiedHuber",
    "Perceptron",
    "PolyCrossentropy",
    "Ramp",
    "SmoothedHinge",
    "SparseCategoricalFocalCrossentropy",
    "SymmetricCrossentropy",
    "TripletSemiHard",
    "WestonWatkinsHinge",
]
