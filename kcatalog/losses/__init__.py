"""Losses; the path of each is `kcatalog.losses.<Class>`."""

from kcatalog.losses.angular import Angular
from kcatalog.losses.arc_face import ArcFace
from kcatalog.losses.asymmetric_crossentropy import AsymmetricCrossentropy
from kcatalog.losses.barlow_twins import BarlowTwins
from kcatalog.losses.bi_tempered_crossentropy import BiTemperedCrossentropy
from kcatalog.losses.center import Center
from kcatalog.losses.ciou import CIoU
from kcatalog.losses.class_balanced_crossentropy import ClassBalancedCrossentropy
from kcatalog.losses.contrastive import Contrastive
from kcatalog.losses.corn import CORN
from kcatalog.losses.cos_face import CosFace
from kcatalog.losses.crammer_singer_hinge import CrammerSingerHinge
from kcatalog.losses.crf_crossentropy import CRFCrossentropy
from kcatalog.losses.diou import DIoU
from kcatalog.losses.distance_weighted_margin import DistanceWeightedMargin
from kcatalog.losses.focal_tversky import FocalTversky
from kcatalog.losses.generalized_dice import GeneralizedDice
from kcatalog.losses.generalized_lifted_structure import GeneralizedLiftedStructure
from kcatalog.losses.giou import GIoU
from kcatalog.losses.in_batch_contrastive import InBatchContrastive
from kcatalog.losses.jaccard import Jaccard
from kcatalog.losses.jensen_shannon_consistency import JensenShannonConsistency
from kcatalog.losses.ldam import LDAM
from kcatalog.losses.lifted_structure import LiftedStructure
from kcatalog.losses.logit_adjusted_crossentropy import LogitAdjustedCrossentropy
from kcatalog.losses.lovasz_hinge import LovaszHinge
from kcatalog.losses.lovasz_softmax import LovaszSoftmax
from kcatalog.losses.margin_ranking import MarginRanking
from kcatalog.losses.modified_huber import ModifiedHuber
from kcatalog.losses.multi_similarity import MultiSimilarity
from kcatalog.losses.multiple_negatives_ranking import MultipleNegativesRanking
from kcatalog.losses.n_pairs import NPairs
from kcatalog.losses.n_pairs_multilabel import NPairsMultilabel
from kcatalog.losses.nca import NCA
from kcatalog.losses.negative_cosine import NegativeCosine
from kcatalog.losses.normalized_softmax import NormalizedSoftmax
from kcatalog.losses.ntxent import NTXent
from kcatalog.losses.perceptron import Perceptron
from kcatalog.losses.pinball import Pinball
from kcatalog.losses.poly_crossentropy import PolyCrossentropy
from kcatalog.losses.proxy_anchor import ProxyAnchor
from kcatalog.losses.proxy_nca import ProxyNCA
from kcatalog.losses.ramp import Ramp
from kcatalog.losses.ranking_softmax import RankingSoftmax
from kcatalog.losses.sequence_crossentropy import SequenceCrossentropy
from kcatalog.losses.siglip import SigLIP
from kcatalog.losses.smoothed_hinge import SmoothedHinge
from kcatalog.losses.soft_nearest_neighbor import SoftNearestNeighbor
from kcatalog.losses.soft_triple import SoftTriple
from kcatalog.losses.sparse_categorical_focal_crossentropy import SparseCategoricalFocalCrossentropy
from kcatalog.losses.sparsemax import Sparsemax
from kcatalog.losses.sphere_face import SphereFace
from kcatalog.losses.sub_center_arc_face import SubCenterArcFace
from kcatalog.losses.supervised_contrastive import SupervisedContrastive
from kcatalog.losses.symmetric_crossentropy import SymmetricCrossentropy
from kcatalog.losses.triplet_all import TripletAll
from kcatalog.losses.triplet_hard import TripletHard
from kcatalog.losses.triplet_margin import TripletMargin
from kcatalog.losses.triplet_semi_hard import TripletSemiHard
from kcatalog.losses.vicreg import VICReg
from kcatalog.losses.weighted_kappa import WeightedKappa
from kcatalog.losses.weston_watkins_hinge import WestonWatkinsHinge

__all__ = [  # noqa: RUF022 (plain order; LDAM is a class, no constant)
    "Angular",
    "ArcFace",
    "AsymmetricCrossentropy",
    "BarlowTwins",
    "BiTemperedCrossentropy",
    "CIoU",
    "CORN",
    "CRFCrossentropy",
    "Center",
    "ClassBalancedCrossentropy",
    "Contrastive",
    "CosFace",
    "CrammerSingerHinge",
    "DIoU",
    "DistanceWeightedMargin",
    "FocalTversky",
    "GIoU",
    "GeneralizedDice",
    "GeneralizedLiftedStructure",
    "InBatchContrastive",
    "Jaccard",
    "JensenShannonConsistency",
    "LDAM",
    "LiftedStructure",
    "LogitAdjustedCrossentropy",
    "LovaszHinge",
    "LovaszSoftmax",
    "MarginRanking",
    "ModifiedHuber",
    "MultiSimilarity",
    "MultipleNegativesRanking",
    "NCA",
    "NPairs",
    "NPairsMultilabel",
    "NTXent",
    "NegativeCosine",
    "NormalizedSoftmax",
    "Perceptron",
    "Pinball",
    "PolyCrossentropy",
    "ProxyAnchor",
    "ProxyNCA",
    "Ramp",
    "RankingSoftmax",
    "SequenceCrossentropy",
    "SigLIP",
    "SmoothedHinge",
    "SoftNearestNeighbor",
    "SoftTriple",
    "SparseCategoricalFocalCrossentropy",
    "Sparsemax",
    "SphereFace",
    "SubCenterArcFace",
    "SupervisedContrastive",
    "SymmetricCrossentropy",
    "TripletAll",
    "TripletHard",
    "TripletMargin",
    "TripletSemiHard",
    "VICReg",
    "WeightedKappa",
    "WestonWatkinsHinge",
]
