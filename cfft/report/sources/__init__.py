"""The files on disk that a report is made from."""
