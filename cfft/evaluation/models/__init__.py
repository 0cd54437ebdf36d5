"""From what a user names to models: runs, checkpoints, weight files, averages of them."""
