"""Losses; the path of each is `kcatalog.losses.<Class>`."""

from kcatalog.losses.triplet_semi_hard import TripletSemiHard

__all__ = ["TripletSemiHard"]
