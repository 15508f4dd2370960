"""AmbientImputer: the estimator that fills the holes of a table."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, no_type_check

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ambient_jax.tabular.interface.inputs import as_frame, warn_about_empty_columns
from ambient_jax.tabular.interface.parameters import (
    check_parameters,
    checked_count,
    fit_codec,
    shifts_by_position,
)
from ambient_jax.tabular.interface.transformer import FrameTransformer

if TYPE_CHECKING:  # these import JAX, which methods do when they first need it
    from ambient_jax.tabular.completion import Completion
    from ambient_jax.tabular.fitting.recipe import Recipe


class AmbientImputer(FrameTransformer):
    """Fills missing cells of a table by masked diffusion trained on its observed ones.

        imputer = AmbientImputer(random_state=0).fit(frame)   # NaN, None, NaT, pd.NA
        full = imputer.transform(new)                # observed cells bit for bit
        draws = imputer.sample_imputations(new, num_draws=20)  # joint posterior

    Numbers, dates, booleans and categories may be mixed. Frames come back as frames
    with the same columns, order, index and dtypes, arrays as arrays.

    Parameters:
      statistic: what `transform` fills in: `auto` (the most probable category; the mean
        of a number, rounded to its decimals, or a value that occurs where numbers are
        codes, few, or mostly one, see `choose_estimate`), `mean` (not rounded where the
        dtype allows), `median`, `mode`, or `joint` (of 20 joint draws of a row the most
        central one, whose cells fit together).
      categorical_features, numeric_features: names or positions of columns whose
        numbers or dates are codes, and of those whose numbers only look like codes.
      missing_markers: texts that mean missing. None: those among numbers or dates in
        columns of text or objects, such as `?`, with a warning.
      delta: `{column: shift}` added to the imputed numbers of a column, to see what a
        missingness that is not at random would change.
      add_indicator: append `missingindicator_*` columns for those with holes in fit.
      keep_empty_features: keep a column with no observed cell, as it is; else drop it.
      max_bins, max_categories: sizes of the columns' vocabularies, see `TableCodec`.
      validation_fraction: share of the rows held out for early stopping and for the
        calibration of intervals (at most 1,000 rows); of an ensemble, the share that
        each network holds out (at most 300 rows in all).
      max_epochs, max_time: limits of training, in passes over the rows and seconds;
        None: by the size of the table, and none.
      recipe: network and training in detail; None: the defaults of `Recipe`.
      checkpoint_dir: folder of checkpoints, from which the same `fit` continues after
        it was killed (give a `random_state`). None: there are none.
      random_state: seed; None draws one.
      verbose: 1 shows a progress bar.

    Attributes:
      codec_, model_, calibration_: what was learned.
      history_, seconds_: nats per held-out cell, one per evaluation; of `fit`.
      missing_markers_: texts that mean missing, by the column's position.
      n_features_in_, feature_names_in_: as in scikit-learn.

    Examples:
      >>> rng = np.random.default_rng(0)
      >>> x = rng.normal(size=100)
      >>> frame = pd.DataFrame({"x": x, "y": 2 * x}).mask(rng.random((100, 2)) < 0.2)
      >>> imputer = AmbientImputer(random_state=0, max_epochs=1).fit(frame)
      >>> bool(imputer.transform(frame).notna().all(axis=None))
      True
    """

    @no_type_check  # scikit-learn wants any value to be taken here and refused in fit
    def __init__(
        self,
        *,
        statistic: Any = "auto",
        categorical_features: Any = (),
        numeric_features: Any = (),
        missing_markers: Any = None,
        delta: Any = None,
        add_indicator: bool = False,
        keep_empty_features: bool = True,
        max_bins: int = 64,
        max_categories: int = 256,
        validation_fraction: float = 0.1,
        max_epochs: int | None = None,
        max_time: float | None = None,
        recipe: "Recipe | None" = None,
        checkpoint_dir: Any = None,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.statistic = statistic
        self.categorical_features = categorical_features
        self.numeric_features = numeric_features
        self.missing_markers = missing_markers
        self.delta = delta
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.max_bins = max_bins
        self.max_categories = max_categories
        self.validation_fraction = validation_fraction
        self.max_epochs = max_epochs
        self.max_time = max_time
        self.recipe = recipe
        self.checkpoint_dir = checkpoint_dir
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> "AmbientImputer":
        """Learns from the observed cells of `X` `[N, columns]`.

        Raises:
          ValueError, TypeError: a cell or a parameter cannot be used; says which.
        """
        check_parameters(self)
        frame, _ = as_frame(self, X, reset=True)
        codec = fit_codec(self, frame)
        warn_about_empty_columns(frame, codec, self.keep_empty_features)
        shifts_by_position(self.delta, frame, codec)  # refused before training
        self._begin(frame, codec)
        self._learn(frame)
        return self

    def _learn(self, frame: pd.DataFrame) -> None:
        from ambient_jax.tabular.learning import learn

        learned = learn(
            self.codec_, frame, self.recipe, max_epochs=self.max_epochs,
            max_time=self.max_time, validation_fraction=self.validation_fraction,
            seed=self.seed_, verbose=self.verbose,
            checkpoint_dir=self.checkpoint_dir and Path(self.checkpoint_dir),
        )  # fmt: skip
        self.model_, self.calibration_ = learned.model, learned.calibration
        self.history_, self.seconds_ = learned.history, learned.seconds

    def transform(self, X: Any) -> Any:
        """`X` with its holes filled by one value each; deterministic."""
        done, given = self._completion(X)
        full = done.point_estimates(self.statistic, self.seed_)
        return self._finish(full, done.frame, done.holes, given)

    def sample_imputations(self, X: Any, num_draws: int = 20) -> list[Any]:
        """Completions of `X`, each a draw from the joint posterior of its holes.

        Raises:
          ValueError: `num_draws` is not a positive integer.
        """
        count = checked_count("num_draws", num_draws)
        done, given = self._completion(X)
        draws = done.draws(self.seed_, count)
        return [self._finish(full, done.frame, done.holes, given) for full in draws]

    def predict_distribution(
        self, X: Any, quantiles: tuple[float, ...] = (0.05, 0.25, 0.5, 0.75, 0.95)
    ) -> pd.DataFrame:
        """One line per missing cell: what the row's observed cells say of it.

        Returns:
          A frame with `row`, `row_position`, `column`, `column_position`, `mode`,
          `mean`, `sd`, `q0.05` ... (calibrated: central intervals cover what they say)
          and `probabilities`, a dictionary for categories. In portions of rows.
        """
        if not all(0 < q < 1 for q in quantiles):
            raise ValueError(f"quantiles must lie in (0, 1), got {quantiles}")
        done = self._completion(X)[0]
        return done.distributions(tuple(quantiles), self.calibration_)

    def sample(self, n_samples: int = 1) -> pd.DataFrame:
        """`n_samples` new rows, with the columns and dtypes of `fit`.

        Columns that carry no information (empty, identifiers) are all missing in them.
        """
        from ambient_jax.tabular.completion import generate_rows

        check_is_fitted(self, "codec_")
        count = checked_count("n_samples", n_samples)
        return generate_rows(self.codec_, self.model_, self.schema_, count, self.seed_)

    def score_samples(self, X: Any) -> np.ndarray:
        """Log-density of the observed part of each row, `[N]`, in nats.

        Log-probability for categories and repeated values, log-density in the column's
        units for the others; missing cells are integrated out. A category never seen
        in n cells counts as `log 1 / (n + 2)`. It is a lower bound, the mean over
        random orders of the chain rule.
        """
        from ambient_jax.tabular.scoring import score_rows

        check_is_fitted(self, "codec_")
        frame, _ = as_frame(self, X, reset=False)
        return score_rows(self.codec_, self.model_, frame)

    def save(self, path: str | Path) -> None:
        """Writes the model into the folder `path`: `model.json` and `model.npz`."""
        from ambient_jax.tabular.saving.ambient import save

        check_is_fitted(self, "codec_")
        save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> "AmbientImputer":
        """What `save` wrote. Runs no code from the file.

        Raises:
          FileNotFoundError, ValueError: there is no such model, or it is damaged.
        """
        from ambient_jax.tabular.saving.ambient import load

        return load(cls, Path(path))

    def _completion(self, X: Any) -> "tuple[Completion, Any]":
        from ambient_jax.tabular.completion import Completion

        check_is_fitted(self, "codec_")
        check_parameters(self)
        frame, given = as_frame(self, X, reset=False)
        shifts = shifts_by_position(self.delta, frame, self.codec_)
        return Completion(self.codec_, self.model_, frame, shifts), given
