"""Data of recipes: one declaration for the default, well-known sets and your own files."""

from kcatalog.recipe.data.base import Data, Source
from kcatalog.recipe.data.documents import Documents
from kcatalog.recipe.data.images import Images
from kcatalog.recipe.data.info import DataInfo, Details
from kcatalog.recipe.data.labelled import Labelled
from kcatalog.recipe.data.masks import Masks
from kcatalog.recipe.data.option import Option
from kcatalog.recipe.data.pairs import Pairs
from kcatalog.recipe.data.pretrained import Pretrained
from kcatalog.recipe.data.series import Series
from kcatalog.recipe.data.speech import Speech
from kcatalog.recipe.data.tables import FeatureTables, Tables
from kcatalog.recipe.data.tagged import Tagged
from kcatalog.recipe.data.text import Text

__all__ = [
    "Data",
    "DataInfo",
    "Details",
    "Documents",
    "FeatureTables",
    "Images",
    "Labelled",
    "Masks",
    "Option",
    "Pairs",
    "Pretrained",
    "Series",
    "Source",
    "Speech",
    "Tables",
    "Tagged",
    "Text",
]
