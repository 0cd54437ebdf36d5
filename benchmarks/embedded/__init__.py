"""How the data files of the embedded world and model were made; not part of the wheel."""
