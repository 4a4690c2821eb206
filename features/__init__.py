"""What was known at a moment: features as of any time, and the labels they are judged by."""
