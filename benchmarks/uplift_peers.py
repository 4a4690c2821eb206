"""The usual uplift learners of causalml, econml and scikit-uplift, in an environment of their own.

Run by ``uplift_hillstrom.py`` with that environment's Python; nothing of Presage is imported. Reads
``rows.parquet`` (features, ``action``, ``value``) and ``learn.npy`` (rows × splits) of a folder and
writes ``gains-LEARNER.parquet``: ``split, arm, learner, row, gain`` of the rows not learned from. A
learner that was answered before is not run again; a library that is missing is named and left out.
Each has its documentation's usual shape: LightGBM of 100 trees with 8 leaves, at least 100 rows in
a leaf, at a rate of .05 inside meta-learners; forests of 200 trees; propensities known.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402


def trees(kind: str = "regression"):
    from lightgbm import LGBMClassifier, LGBMRegressor

    of = LGBMClassifier if kind == "classification" else LGBMRegressor
    return of(
        n_estimators=100,
        learning_rate=0.05,
        num_leaves=8,
        min_child_samples=100,
        n_jobs=1,
        verbose=-1,
        random_state=1,
    )


def causalml_meta(name: str):
    def learn(x, t, y, new):
        from causalml.inference.meta import (
            BaseDRRegressor,
            BaseRRegressor,
            BaseSRegressor,
            BaseTRegressor,
            BaseXRegressor,
        )

        p = np.full(len(t), t.mean())
        if name == "S":
            return BaseSRegressor(trees()).fit(x, t, y).predict(new)
        if name == "T":
            return BaseTRegressor(trees()).fit(x, t, y).predict(new)
        if name == "X":
            return (
                BaseXRegressor(trees())
                .fit(x, t, y, p=p)
                .predict(new, p=np.full(len(new), t.mean()))
            )
        if name == "R":
            return (
                BaseRRegressor(trees(), random_state=1)
                .fit(x, t, y, p=p, verbose=False)
                .predict(new)
            )
        return BaseDRRegressor(trees()).fit(x, t, y, p=p, seed=1).predict(new)

    return learn


def causalml_forest(x, t, y, new):
    from causalml.inference.tree import UpliftRandomForestClassifier

    forest = UpliftRandomForestClassifier(
        n_estimators=50,
        max_depth=5,
        min_samples_leaf=200,
        min_samples_treatment=50,
        n_reg=100,
        evaluationFunction="KL",
        control_name="none",
        random_state=1,
        n_jobs=1,
    )
    forest.fit(x, np.where(t == 1, "mail", "none"), y.astype(int))
    return forest.predict(new)


def econml_forest(x, t, y, new):
    from econml.dml import CausalForestDML

    forest = CausalForestDML(
        model_y=trees(),
        model_t=trees("classification"),
        discrete_treatment=True,
        n_estimators=200,
        min_samples_leaf=50,
        cv=3,
        n_jobs=1,
        random_state=1,
    )
    return forest.fit(y, t, X=x).effect(new)


def econml_linear(x, t, y, new):
    from econml.dr import LinearDRLearner

    learner = LinearDRLearner(
        model_propensity=trees("classification"), model_regression=trees(), cv=3, random_state=1
    )
    return learner.fit(y, t, X=x).effect(new)


def econml_dr(x, t, y, new):
    from econml.dr import DRLearner

    learner = DRLearner(
        model_propensity=trees("classification"),
        model_regression=trees(),
        model_final=trees(),
        cv=3,
        random_state=1,
    )
    return learner.fit(y, t, X=x).effect(new)


def econml_x(x, t, y, new):
    from econml.metalearners import XLearner

    learner = XLearner(models=trees(), propensity_model=trees("classification"))
    return learner.fit(y, t, X=x).effect(new)


def sklift(name: str):
    def learn(x, t, y, new):
        from sklift.models import ClassTransformation, SoloModel, TwoModels

        x, new = pd.DataFrame(x), pd.DataFrame(new)
        t, y = pd.Series(t.astype(int)), pd.Series(y.astype(int))
        if name == "solo":
            model = SoloModel(trees("classification"))
        elif name == "two":
            model = TwoModels(trees("classification"), trees("classification"), method="vanilla")
        elif name == "two, dependent":
            model = TwoModels(
                trees("classification"), trees("classification"), method="ddr_control"
            )
        else:
            model = ClassTransformation(trees("classification"))
        return model.fit(x, y, t).predict(new)

    return learn


LEARNERS = {
    **{f"causalml {name}": causalml_meta(name) for name in ("S", "T", "X", "R", "DR")},
    "econml linear DR": econml_linear,
    "econml DR": econml_dr,
    "econml X": econml_x,
    "scikit-uplift solo": sklift("solo"),
    "scikit-uplift two": sklift("two"),
    "scikit-uplift two, dependent": sklift("two, dependent"),
    "scikit-uplift transformed class": sklift("class"),
    "econml causal forest": econml_forest,
    "causalml uplift forest": causalml_forest,
}


def _splits(path: Path) -> int:
    return int(pd.read_parquet(path, columns=["split"])["split"].max()) + 1


def main() -> None:
    folder = Path(sys.argv[1])
    rows = pd.read_parquet(folder / "rows.parquet")
    learned = np.load(folder / "learn.npy")
    x = rows.drop(columns=["action", "value"]).to_numpy(np.float64)
    y = rows["value"].to_numpy(np.float64)
    action = rows["action"].to_numpy(object)
    wanted = sys.argv[2].split(";") if len(sys.argv) > 2 else list(LEARNERS)
    for name in wanted:
        learner = LEARNERS[name]
        path = folder / f"gains-{name.replace(' ', '-').replace(',', '')}.parquet"
        if path.exists() and _splits(path) >= learned.shape[1]:
            continue
        began, gains = time.time(), []
        try:
            for split in range(learned.shape[1]):
                for arm in sorted(set(action) - {"none"}):
                    inside = learned[:, split] & ((action == arm) | (action == "none"))
                    judged = np.flatnonzero(~learned[:, split])
                    t = (action[inside] == arm).astype(int)
                    gain = np.asarray(learner(x[inside], t, y[inside], x[judged]), np.float64)
                    gains.append(
                        pd.DataFrame(
                            {
                                "split": split,
                                "arm": arm,
                                "learner": name,
                                "row": judged,
                                "gain": gain.reshape(len(judged), -1)[:, -1],
                            }
                        )
                    )
        except Exception as problem:  # a library that does not run here must not hide the others
            print(f"{name}: left out, {type(problem).__name__}: {problem}", flush=True)
            continue
        pd.concat(gains, ignore_index=True).to_parquet(path)
        print(f"{name}: {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
