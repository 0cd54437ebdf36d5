"""Tables, progress bars and messages that commands print."""
