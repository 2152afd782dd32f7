"""Many files in one run: which they are, where their results go, and how they are worked on at the same time."""
