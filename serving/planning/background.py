"""What a file of the plan says beside its numbers: settings, overrides, accuracy, provenance."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from serving.desk import Desk
from serving.planning.in_force import plan_in_force, settings_in_force, standing_overrides
from serving.published import newest
from serving.staffing.exports import channels_of
from serving.staffing.workbook import Background


def background_of(desk: Desk) -> Background:
    """Of the plan in force; the accuracy is that of its channels, where trials were held."""
    standing = plan_in_force(desk)
    overrides = pd.DataFrame([asdict(one) for one in standing_overrides(desk)])
    tested = newest(desk.workspace.state_dir, "accuracy")
    accuracy = None
    if tested is not None:
        accuracy = channels_of(tested.frame)
    return Background(settings_in_force(desk), standing.about, overrides, accuracy)
