"""The suite `lists`: images and classes in CSV files, or in list files of lines `path label`."""
