"""A table with holes, completed: scikit-learn's wine data, no download.

    PYTHONPATH=. python examples/table_with_holes.py

Hides 20 % of the cells, completes them by the mean and by 20 posterior draws, pools a
regression over the draws by Rubin's rules, and shifts one column's imputed values to
see whether the answer hangs on data that are missing at random.
"""

import numpy as np
import pandas as pd
from sklearn.datasets import load_wine

from ambient_jax import AmbientImputer, pool


def table(seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The wine table, and the same with 20 % of its cells missing."""
    data = load_wine(as_frame=True)
    whole = data.data.assign(kind=np.array(["a", "b", "c"])[data.target])
    holes = np.random.default_rng(seed).random(whole.shape) < 0.2
    return whole, whole.mask(pd.DataFrame(holes, whole.index, whole.columns))


def slope(frame: pd.DataFrame) -> tuple[float, float]:
    """Of alcohol on proline (per 100), with its standard error."""
    x, y = frame["proline"] / 100, frame["alcohol"]
    x = x - x.mean()
    estimate = (x * y).sum() / (x**2).sum()
    rest = y - y.mean() - estimate * x
    return estimate, float(np.sqrt(rest.var(ddof=1) / (x**2).sum()))


def main() -> None:
    whole, frame = table()
    print(f"{frame.shape[0]} rows, {int(frame.isna().sum().sum())} missing cells")
    imputer = AmbientImputer(random_state=0, verbose=1).fit(frame)
    full = imputer.transform(frame)
    numeric = whole.columns[:-1]
    scale = frame[numeric].std()
    error = ((full[numeric] - whole[numeric]) / scale)[frame[numeric].isna()]
    flat = ((frame[numeric].mean() - whole[numeric]) / scale)[frame[numeric].isna()]
    rmse = [float(np.sqrt(np.nanmean(e.to_numpy() ** 2))) for e in (error, flat)]
    hole = frame["kind"].isna()
    right = (full["kind"] == whole["kind"])[hole].mean()
    print(
        f"RMSE of the imputed numbers, in sd: {rmse[0]:.3f} "
        f"(column means {rmse[1]:.3f})"
    )
    print(f"kind of wine: {right:.0%} of {hole.sum()} missing cells right")
    told = imputer.predict_distribution(frame)
    print(told[told["column"] == "alcohol"].head(3).iloc[:, :10].to_string(index=False))
    draws = imputer.sample_imputations(frame, num_draws=20)
    found = pool([slope(draw) for draw in draws], df_complete=len(frame) - 2)
    truth = slope(whole)[0]
    print(f"slope {found.estimate:.4f}, 95 % {found.low:.4f} to {found.high:.4f} "
          f"(complete data: {truth:.4f})")  # fmt: skip
    imputer.set_params(delta={"alcohol": 0.5})
    moved = imputer.sample_imputations(frame, num_draws=20)
    found = pool([slope(draw) for draw in moved], df_complete=len(frame) - 2)
    print(f"if missing alcohol were 0.5 higher than it looks: {found.estimate:.4f}")


if __name__ == "__main__":
    main()
