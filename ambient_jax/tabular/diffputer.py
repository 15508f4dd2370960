"""DiffPuterImputer: missing cells of a table by EM with Gaussian diffusion."""

from pathlib import Path
from typing import Any, no_type_check

from sklearn.utils.validation import check_is_fitted

from ambient_jax.tabular.frames.kinds import holes_of
from ambient_jax.tabular.gaussian.fit import fit_diffputer
from ambient_jax.tabular.gaussian.recipe import DiffPuterRecipe
from ambient_jax.tabular.interface.inputs import as_frame, warn_about_empty_columns
from ambient_jax.tabular.interface.parameters import (
    check_diffputer_parameters,
    checked_count,
    fit_codec,
)
from ambient_jax.tabular.interface.transformer import FrameTransformer
from ambient_jax.tabular.saving.diffputer import load, save


class DiffPuterImputer(FrameTransformer):
    """Fills missing cells of a table by DiffPuter: EM with diffusion of EDM's kind.

        imputer = DiffPuterImputer(random_state=0).fit(frame)  # NaN, None, NaT, pd.NA
        full = imputer.transform(new)                # observed cells bit for bit
        draws = imputer.sample_imputations(new, num_draws=20)

    Numbers, dates, booleans and categories may be mixed, and become standardised
    coordinates, see `StandardCodec`. As published, the E-step completes a row by the
    mean of draws: the completed data have a smaller variance than true data, the next
    network learns that, and `sample_imputations` understates spread. `corrected=True`
    completes rows by draws.

    Parameters:
      corrected: draws in place of means in the E-step, and a network that goes on from
        the last one in place of a new network in each iteration.
      categorical_features, numeric_features: names or positions of columns whose
        numbers or dates are codes, and of those whose numbers only look like codes.
      missing_markers: texts that mean missing. None: those among numbers or dates in
        columns of text or objects, such as `?`, with a warning.
      add_indicator: append `missingindicator_*` columns for those with holes in fit.
      keep_empty_features: keep a column with no observed cell, as it is; else drop it.
      max_categories: maximum number of categories of a column.
      recipe: network, training and draws in detail; None: the defaults of
        `DiffPuterRecipe`.
      random_state: seed; None draws one.
      verbose: 1 shows a progress bar.

    Attributes:
      codec_, model_: what was learned; `model_` is None without a column to learn from.
      history_, seconds_: mean training loss of each iteration; duration of `fit`.
      missing_markers_: texts that mean missing, by the column's position.
      n_features_in_, feature_names_in_: as in scikit-learn.

    References:
      Zhang et al. 2025 (arXiv 2405.20690).
    """

    max_bins = 64  # of the codec's bins, which this imputer does not use

    @no_type_check  # scikit-learn wants any value to be taken here and refused in fit
    def __init__(
        self,
        *,
        corrected: bool = False,
        categorical_features: Any = (),
        numeric_features: Any = (),
        missing_markers: Any = None,
        add_indicator: bool = False,
        keep_empty_features: bool = True,
        max_categories: int = 256,
        recipe: DiffPuterRecipe | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.corrected = corrected
        self.categorical_features = categorical_features
        self.numeric_features = numeric_features
        self.missing_markers = missing_markers
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.max_categories = max_categories
        self.recipe = recipe
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> "DiffPuterImputer":
        """Learns from the observed cells of `X` `[N, columns]`.

        Raises:
          ValueError, TypeError: a cell or a parameter cannot be used; says which.
        """
        check_diffputer_parameters(self)
        frame, _ = as_frame(self, X, reset=True)
        codec = fit_codec(self, frame)
        warn_about_empty_columns(frame, codec, self.keep_empty_features)
        self._begin(frame, codec)
        if codec.length:
            fitted = fit_diffputer(
                codec, frame, self.recipe or DiffPuterRecipe(),
                corrected=self.corrected, seed=self.seed_, verbose=self.verbose,
            )  # fmt: skip
            self.model_ = fitted.model
            self.history_, self.seconds_ = fitted.history, fitted.seconds
        return self

    def transform(self, X: Any) -> Any:
        """`X` with its holes filled by means of draws; deterministic.

        A category is the one whose code is nearest to the mean code.
        """
        frame, given = self._frame(X)
        full = frame if self.model_ is None else self.model_.means(frame, self.seed_)
        return self._finish(full, frame, holes_of(frame), given)

    def sample_imputations(self, X: Any, num_draws: int = 20) -> list[Any]:
        """Completions of `X`, each a draw of the missing cells of every row.

        Raises:
          ValueError: `num_draws` is not a positive integer.
        """
        count = checked_count("num_draws", num_draws)
        frame, given = self._frame(X)
        draws = [frame] * count
        if self.model_ is not None:
            draws = self.model_.draws(frame, self.seed_, count)
        holes = holes_of(frame)
        return [self._finish(full, frame, holes, given) for full in draws]

    def save(self, path: str | Path) -> None:
        """Writes the model into the folder `path`: `model.json` and `model.npz`."""
        check_is_fitted(self, "codec_")
        save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> "DiffPuterImputer":
        """What `save` wrote. Runs no code from the file.

        Raises:
          FileNotFoundError, ValueError: there is no such model, or it is damaged.
        """
        return load(cls, Path(path))

    def _frame(self, X: Any) -> tuple[Any, Any]:
        check_is_fitted(self, "codec_")
        return as_frame(self, X, reset=False)
