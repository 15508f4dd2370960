"""A second fit of a like table compiles nothing, and a fitted model can be pickled."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from jax import monitoring
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from ambient_jax import AmbientImputer, Recipe

RECIPE = Recipe(
    width=16, depth=1, embed=4, max_epochs=4, batch_size=32, rounds=4, members=2
)
"""With EM, so that the draws of the E-step are compiled too."""


def numbers(n, seed, scale=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    frame = pd.DataFrame({"x": x, "y": scale * (x + rng.normal(size=n))})
    frame["kind"] = np.where(frame["y"] > 0, "high", "low")
    return frame.mask(rng.random(frame.shape) < 0.3)


@pytest.fixture
def compilations():
    """Names of the programs that were compiled, as they are."""
    names = []

    def note(event, duration, **fields):
        if event.endswith("backend_compile_duration"):
            names.append(fields.get("fun_name"))

    monitoring.register_event_duration_secs_listener(note)
    yield names
    monitoring.unregister_event_duration_listener(note)


def use(frame):
    imputer = AmbientImputer(random_state=0, recipe=RECIPE).fit(frame)
    imputer.transform(frame)
    imputer.sample_imputations(frame, num_draws=2)
    imputer.score_samples(frame)
    return imputer


def test_a_second_fit_of_a_like_table_compiles_nothing(compilations):
    use(numbers(120, seed=0))
    assert len(compilations) > 3
    compilations.clear()
    use(numbers(133, seed=1, scale=50.0))
    assert compilations == []


@pytest.fixture(scope="module")
def fitted():
    frame = numbers(80, seed=2)
    return AmbientImputer(random_state=0, recipe=RECIPE).fit(frame), frame


@pytest.mark.parametrize("used", ["fit", "transform", "draws", "score"])
def test_a_pickled_imputer_is_the_same(fitted, used):
    imputer, frame = fitted
    if used == "transform":
        imputer.transform(frame)
    elif used == "draws":
        imputer.sample_imputations(frame, num_draws=1)
    elif used == "score":
        imputer.score_samples(frame)
    again = pickle.loads(pickle.dumps(imputer))
    pd.testing.assert_frame_equal(again.transform(frame), imputer.transform(frame))
    for a, b in zip(again.sample_imputations(frame, 2),
                    imputer.sample_imputations(frame, 2)):  # fmt: skip
        pd.testing.assert_frame_equal(a, b)


def test_a_fitted_pipeline_is_saved_by_joblib(fitted, tmp_path):
    imputer, frame = fitted
    pipeline = make_pipeline(imputer)
    full = pipeline.transform(frame)
    joblib.dump(pipeline, tmp_path / "pipeline.joblib")
    again = joblib.load(tmp_path / "pipeline.joblib")
    pd.testing.assert_frame_equal(again.transform(frame), full)


@pytest.mark.slow
def test_workers_fit_transform_and_return_estimators(fitted):
    """In processes of loky, which start anew and do not fork."""
    imputer, frame = fitted
    halves = [frame.iloc[:40], frame.iloc[40:]]
    results = joblib.Parallel(n_jobs=2)(
        joblib.delayed(imputer.transform)(half) for half in halves
    )
    for half, result in zip(halves, results):
        pd.testing.assert_frame_equal(result, imputer.transform(half))
    columns = frame[["x", "y"]]
    tree = DecisionTreeRegressor(max_depth=2, random_state=0)
    model = make_pipeline(AmbientImputer(random_state=0, recipe=RECIPE), tree)
    scored = cross_validate(
        model, columns, np.arange(80.0), cv=2, n_jobs=2, return_estimator=True
    )
    assert np.isfinite(scored["test_score"]).all()
    assert len(scored["estimator"]) == 2
    assert np.isfinite(scored["estimator"][0].predict(columns)).all()
