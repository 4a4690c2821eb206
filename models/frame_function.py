"""A registered model as a function of a frame: what ``mlflow.pyfunc.load_model`` hands out.

    mlflow.set_tracking_uri("http://127.0.0.1:5000")  # where `presage up` serves the registry
    model = mlflow.pyfunc.load_model("models:/presage-risk@champion")
    risks = model.predict(features)

A version names this module as its loader, so no code comes with a model and nothing is unpickled:
Presage must be installed where it is loaded. The bundle is loaded on trial in a child process
first, as every bundle from elsewhere.

- **risk**: features in (as ``ps.compute`` makes them; ``as_of`` too where the model knows
  holidays), ``risk_7d`` and what else ``RiskModel.predict`` says out, a row each, in their order.
- **volume**: counts in (``unique_id, ds, y``), the forecast of the next steps out, by counts alone:
  holidays, opening hours and drivers of a workspace are known to `presage forecast` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from data.errors import DataError
from models.bundle import trial_load

AS_OF = "as_of"
COUNTS = ("unique_id", "ds", "y")


class Model(Protocol):
    """What answers with a frame to a frame."""

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame: ...


@dataclass(frozen=True)
class OfFeatures:
    """A risk model; ``model`` is a ``models.risk.model.RiskModel``."""

    model: Any

    @property
    def inputs(self) -> list[str]:
        """The columns that it reads."""
        return [*self.model.encoder.columns, *([AS_OF] if self.model.days is not None else [])]

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Risks of each row. DataError for a feature that the frame lacks."""
        risks: pd.DataFrame = self.model.predict(frame.reset_index(drop=True))
        return risks


@dataclass(frozen=True)
class OfCounts:
    """A volume model; ``model`` is a ``models.volume.model.VolumeModel``."""

    model: Any

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The forecast of the steps that the model was trained for, after the last ``ds``."""
        missing = [name for name in COUNTS if name not in frame.columns]
        if missing:
            raise DataError(f"counts need the columns {', '.join(COUNTS)}; {missing[0]!r} is none")
        forecast: pd.DataFrame = self.model.forecast(frame[list(COUNTS)])
        return forecast


@dataclass(frozen=True)
class Loaded:
    """What MLflow calls: ``predict(frame)``, and ``params``, of which there are none."""

    model: Model

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """The model's answer. DataError for parameters, which no model of ours takes."""
        if params:
            raise DataError(f"this model takes no parameters, but got {sorted(params)}")
        return self.model.predict(pd.DataFrame(model_input))


def _load_pyfunc(path: str) -> Loaded:
    """MLflow's entry: the bundle at ``path``. DamagedFile where it is not as it was written."""
    folder = Path(path)
    kind = trial_load(folder).kind
    if kind == "risk":
        from models.risk.model import load_risk

        return Loaded(OfFeatures(load_risk(folder)))
    if kind == "volume":
        from models.volume import load_volume

        return Loaded(OfCounts(load_volume(folder)))
    raise DataError(f"{folder} holds a model of kind {kind!r}; risk and volume can be loaded")
