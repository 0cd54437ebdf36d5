"""One file for each command: its options and the calls that it makes."""
