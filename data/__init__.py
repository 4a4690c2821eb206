"""What happened: the contract's tables, the workspace that holds them, and where they come from."""
