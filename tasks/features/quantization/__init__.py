"""Features at int8: the quantised model that a recipe names, and the engine that runs it."""
