"""Tables to classify, whose categories are encoded by Keras's FeatureSpace."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

from kcatalog.recipe.data.base import Data
from kcatalog.recipe.data.findings import Finding, listed
from kcatalog.recipe.data.option import option, with_options
from kcatalog.recipe.data.tables import TableDetails, Tables
from kcatalog.recipe.terminal.errors import RecipeError

CROSSED = 64  # features of a cross, to which its combinations are hashed
UNSEEN = "[unseen category]"


@dataclass(frozen=True)
class FeatureTableDetails(TableDetails):
    """Facts about a table, and the columns whose combinations get features, too."""

    cross: tuple[str, ...] = ()

    @functools.cached_property
    def space(self):
        """The FeatureSpace of the categorical columns, under their places; None without any."""
        from keras import layers
        from keras.utils import FeatureSpace

        features = {
            str(i): FeatureSpace.feature(
                "string", layers.StringLookup(vocabulary=column.values, oov_token=UNSEEN), "one_hot"
            )
            for i, column in enumerate(self.columns)
            if column.values
        }
        if not features:
            return None
        names = [column.name for column in self.columns]
        crossed = [str(names.index(name)) for name in self.cross]
        crosses = [FeatureSpace.cross(crossed, CROSSED)] if crossed else []
        space = FeatureSpace(features, output_mode="dict", crosses=crosses)
        space.build_from_config({})  # the categories are known: there is nothing to adapt to
        space.get_inputs()  # builds its layers, which a graph could not
        return space

    def encode(self, cells):
        import tensorflow as tf

        found = {}
        if self.space:
            found = self.space({name: cells[:, int(name)] for name in self.space.features})
        # without the feature of unseen categories: no training sample has one
        parts = [
            found.pop(str(i))[:, 1:] if column.values else column.encode(cells[:, i])
            for i, column in enumerate(self.columns)
        ]
        return tf.concat([*parts, *found.values()], 1)

    @property
    def tables(self):
        return list(self.space.preprocessors.values()) if self.space else []


@with_options
class FeatureTables(Tables):
    """Rows of a table, each of one class; categories are encoded by Keras's `FeatureSpace`.

    Numbers and dates are encoded as in `Tables`. Two classes get an output each.
    """

    Details = FeatureTableDetails

    default: str = "wine"
    target_kind: str = dataclasses.field(default="classification", init=False)
    cross: str | None = option(
        None, "Columns whose combinations are features, too.", metavar="NAME,...", files="row"
    )

    def _details(self, table, columns, facts):
        categories = [column.name for column in columns if column.values]
        cross = tuple(part.strip() for part in (self.cross or "").split(",") if part.strip())
        if cross and (len(cross) < 2 or not set(cross) <= set(categories)):
            raise RecipeError(
                f"--cross must name two or more categorical columns of {table.name}. Received: "
                f"{self.cross!r}. Its categorical columns: {listed(categories, 20) or 'none'}."
            )
        if cross:
            table.findings.append(Finding("cross", f"{listed(cross)}: {CROSSED} features"))
        return self.Details(tuple(columns), *facts, cross=cross)

    def _data(self, table, *args, **how) -> Data:
        data = super()._data(table, *args, **how)
        if data.train[1].ndim > 1:
            raise RecipeError(
                f"The target of {table.name} must be one column. Received: {listed(data.classes)}. "
                "Choose one of them: --target NAME."
            )
        return dataclasses.replace(data, task="classification")
