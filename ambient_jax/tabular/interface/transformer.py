"""What the imputers share of scikit-learn's interface: names, columns, types, tags."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.frames.kinds import holes_of
from ambient_jax.tabular.frames.schema import Field, schema_of
from ambient_jax.tabular.interface import outputs


class FrameTransformer(TransformerMixin, BaseEstimator):
    """Base of an estimator that fills the missing cells of a frame.

    Parameters, which a subclass takes:
      add_indicator: append `missingindicator_*` columns for those with holes in fit.
      keep_empty_features: keep a column with no observed cell, as it is; else drop it.
      random_state: seed; None draws one.

    Attributes:
      codec_: the fitted codec.
      schema_: names and dtypes of the columns of `fit`.
      holes_in_fit_: positions of the columns with missing cells in `fit`.
    """

    n_features_in_: int
    codec_: TableCodec
    schema_: tuple[Field, ...]
    holes_in_fit_: np.ndarray
    add_indicator: bool
    keep_empty_features: bool
    random_state: Any
    history_: list[float]
    model_: Any

    def _begin(self, frame: pd.DataFrame, codec: TableCodec) -> None:
        """Sets the attributes that are known before training, and draws the seed."""
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.schema_, self.codec_ = schema_of(frame), codec
        self.holes_in_fit_ = np.flatnonzero(holes_of(frame).any(axis=0))
        self.history_, self.seconds_, self.model_ = [], 0.0, None

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns that `transform` returns."""
        check_is_fitted(self, "codec_")
        names = np.asarray(_check_feature_names_in(self, input_features), object)
        own = [field.name for field in self.schema_]
        flags = self.holes_in_fit_ if self.add_indicator else np.zeros(0, int)
        return outputs.output_names(names, own, self._output_columns(), flags)

    def _finish(
        self, out: pd.DataFrame, frame: pd.DataFrame, holes: np.ndarray, given: Any
    ) -> Any:
        """Drops and adds the columns that the parameters say; in the type that came.

        Args:
          out: the completed rows; frame: the same before imputation.
          holes: `[N, columns]` bool, true where a cell of `frame` is missing.
          given: the second value that `inputs.as_frame` returned.
        """
        out = out.iloc[:, self._output_columns()]
        if self.add_indicator:
            out = outputs.add_indicators(out, frame, holes, self.holes_in_fit_)
        return outputs.to_input_type(out, given)

    def _output_columns(self) -> np.ndarray:
        return outputs.output_positions(
            self.n_features_in_, self.codec_.empty, self.keep_empty_features
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags
