"""Do the figures by which models are judged foretell what they are worth at work?

    python -m benchmarks.offline_online [--customers 4000] [--seeds 8] [--months 6]

The company of ``benchmarks.outreach_loop``, whose customers' true risk is known, and models of the
make that ``presage train`` makes, better and worse ones: of all features or fewer, of many
customers or few. **Offline**, as the gate has it: log loss and average precision on a month that
none has learned from. **Online**: for some months each model decides, in a world of its own with
the same customers and the same chance, whom to contact (a twentieth; a contact takes half of the
risk away); what counts are the complaints that this averts, beside the same months without any
contact. Printed is the correlation of ranks of each offline figure with the complaints averted.
Bar: 0.8 or more for the log loss, by which the gate decides.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from benchmarks.outreach_loop import CONTACTED, FACTOR, FEATURES, LEARNED, World, new_world
from benchmarks.running import show
from data.arrays import Floats
from models.metrics import average_precision, log_loss
from models.risk.model import RiskModel
from models.risk.settings import RiskSettings
from models.risk.train import train_risk
from models.risk.trees import TreeSettings

QUICK = RiskSettings(trees=TreeSettings(rounds=(15, 30)), penalties=(100.0,))
MODELS = {
    "all features": (1.0, FEATURES),
    "a tenth of the customers": (0.1, FEATURES),
    "without late orders": (1.0, FEATURES[1:]),
    "without tickets": (1.0, ("orders_late", "errors", "tenure", "spend")),
    "errors and tenure": (1.0, ("errors", "tenure")),
    "spend": (1.0, ("spend",)),
}
"""By name: the share of customers that it learns from, and what it sees."""


def learned(world: World, share: float, names: tuple[str, ...], seed: int) -> RiskModel:
    """A model of the world's months so far."""
    few = round(world.customers * share)
    frames, labels = (
        pd.concat([frame.head(few) for frame in frames[-LEARNED:]], ignore_index=True)
        for frames in (world.features, world.labels)
    )
    columns = ["customer_id", "as_of", *names]
    return train_risk(
        frames[columns], labels, horizons=[30], seed=seed, settings=QUICK, choices=False
    )


def trials(customers: int, seed: int, months: int) -> pd.DataFrame:
    """A row per model: ``log_loss`` and ``average_precision`` offline, ``averted`` complaints."""
    world = new_world(customers, seed)
    models = {name: learned(world, *of, seed) for name, of in MODELS.items()}
    judged, truth = world.month()
    world.live(judged, truth, np.zeros(customers, dtype=bool))
    y = world.labels[-1]["label_30d"].to_numpy()
    lived = [(*world.month(), world.rng.random(customers)) for _ in range(months)]
    rows = []
    for name, model in models.items():
        risk = _risk(model, judged)
        averted = 0
        for frame, truth, chance in lived:
            first = np.argsort(-_risk(model, frame), kind="stable")[: round(customers * CONTACTED)]
            contacted = first[~world.held[first]]
            without = chance[contacted] < truth[contacted]
            averted += int(without.sum() - (chance[contacted] < FACTOR * truth[contacted]).sum())
        rows.append(
            {
                "model": name,
                "log_loss": log_loss(y, risk),
                "average_precision": average_precision(y, risk),
                "averted": averted,
            }
        )
    return pd.DataFrame(rows)


def _risk(model: RiskModel, frame: pd.DataFrame) -> Floats:
    plain = frame.drop(columns=["customer_id", "as_of"])
    return model.predict(plain, choices=False)["risk_30d"].to_numpy(np.float64)


def agreement(of: pd.DataFrame, figure: str) -> float:
    """Spearman's correlation over models of an offline figure with the complaints averted; a log
    loss counts downward."""
    sign = -1.0 if figure == "log_loss" else 1.0
    return float(spearmanr(sign * of[figure], of["averted"]).statistic)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--months", type=int, default=6)
    options = parser.parse_args()
    of = [trials(options.customers, seed, options.months) for seed in range(options.seeds)]
    means = pd.concat(of).groupby("model", sort=False).mean()
    show(
        ["model", "log loss", "average precision", "complaints averted"],
        [[str(name), f"{row['log_loss']:.4f}", f"{row['average_precision']:.3f}",
          f"{row['averted']:.0f}"] for name, row in means.iterrows()],
    )  # fmt: skip
    print()
    rows = []
    for figure in ("log_loss", "average_precision"):
        each = [agreement(one, figure) for one in of]
        rows.append([figure.replace("_", " "), f"{np.mean(each):.2f}", f"{min(each):.2f}"])
    show(["rank correlation with complaints averted", "mean of worlds", "least"], rows)


if __name__ == "__main__":
    main()
