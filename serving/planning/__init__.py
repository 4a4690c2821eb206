"""What planners do with a plan: change it, ask what if, publish, lock, roll back, look at its days.

All of it stands on one function, ``serving.staffing.requirements.plan``, called again from what was
published: nothing is forecast anew.
"""
