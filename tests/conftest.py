"""What holds for all tests: no time limits, and addresses whose files are kept in memory.

Prefect is imported before any flow, as in its workers: then flows are its own at once.
"""

import prefect  # noqa: F401
from hypothesis import settings

from stores.storage.addresses import PROTOCOLS

# A machine that is busy would fail a test by hypothesis's 200 ms an example.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

PROTOCOLS.add("memory")  # nobody has a store there, but these tests
