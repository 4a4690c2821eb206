"""Through which channel a contact comes.

With probability ``preferred_share`` the preferred one, else by topic; on days on which a channel
takes no contact its share goes to e-mail.
"""

from __future__ import annotations

import numpy as np

from data.arrays import Floats
from data.simulate.rates import CHANNELS, Rates
from data.simulate.state import World

PHONE, EMAIL, CHAT, SOCIAL = range(4)
TOPIC_CHANNELS = np.array(
    [
        [0.40, 0.24, 0.28, 0.08],  # delivery
        [0.30, 0.42, 0.16, 0.12],  # defect
        [0.14, 0.30, 0.42, 0.14],  # app_error
        [0.46, 0.32, 0.20, 0.02],  # billing
        [0.36, 0.34, 0.28, 0.02],  # account
        [0.28, 0.42, 0.26, 0.04],  # returns
        [0.18, 0.26, 0.40, 0.16],  # product
        [0.30, 0.34, 0.20, 0.16],  # other
    ]
)
"""Channel by topic, for those who do not use the preferred one. Columns as CHANNELS."""


def channel_mix(rates: Rates) -> Floats:
    """P(channel) by preferred channel and topic: 4 × topics × 4."""
    mix = np.broadcast_to(TOPIC_CHANNELS, (len(CHANNELS), *TOPIC_CHANNELS.shape)).copy()
    mix *= 1 - rates.preferred_share
    for c in range(len(CHANNELS)):
        mix[c, :, c] += rates.preferred_share
    return mix


def mix_on(world: World, day: int) -> Floats:
    """The day's channel mix: what closed channels would get goes to e-mail."""
    mix = world.channel_mix.copy()
    for c in range(len(CHANNELS)):
        if not world.timeline.takes_contacts[day, c]:
            mix[:, :, EMAIL] += mix[:, :, c]
            mix[:, :, c] = 0.0
    return mix


def public_mix(world: World, day: int) -> Floats:
    """P(channel) by topic of people unknown to us, closed channels cut."""
    mix = TOPIC_CHANNELS.copy()
    for c in range(len(CHANNELS)):
        if not world.timeline.takes_contacts[day, c]:
            mix[:, EMAIL] += mix[:, c]
            mix[:, c] = 0.0
    return mix
