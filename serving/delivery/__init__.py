"""How decisions leave the house: signed webhooks, and what a caller pulls."""
