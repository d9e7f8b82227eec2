"""Documents in, a searchable index out; nothing lost, nothing twice."""
