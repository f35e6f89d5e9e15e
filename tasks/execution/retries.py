"""What is worth a second try, and how soon."""

from stores.errors import StoreError
from tasks.errors import InputError

DELAYS = (1.0, 2.0, 4.0)  # seconds before each further try
JITTER = 0.5  # a wait is longer by up to this share of it


def can_succeed_later(error: object) -> bool:
    """Tell whether a second try can succeed: after a failure of input or output, and no other."""
    hopeless = StoreError | InputError | PermissionError
    return isinstance(error, OSError) and not isinstance(error, hopeless)
