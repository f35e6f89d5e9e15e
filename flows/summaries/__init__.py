"""What flows return: frozen dataclasses. `flows.text` has their text, in modules of the same names.

They live apart from the flows, because a class that is defined in a module run as `__main__` is not
the same class as the one imported.
"""
