"""What we do about it: predictions, outreach, staffing, the API and the planners' page."""
