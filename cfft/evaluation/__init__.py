"""Models measured side by side: from what a user names to the tables of evaluation.json."""
