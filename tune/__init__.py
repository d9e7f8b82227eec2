"""Documents and feedback in, a measured adapter out."""
