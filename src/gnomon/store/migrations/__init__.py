"""How the tables came to be, one file per revision; the file's name begins with the revision."""
