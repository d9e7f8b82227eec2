"""A question in, an answer with verified citations out; the model server and the API for other apps."""
