"""What holds for all tests: no time limits, and addresses whose files are kept in memory."""

from hypothesis import settings

from stores.storage.addresses import PROTOCOLS

# A machine that is busy would fail a test by hypothesis's 200 ms an example.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

PROTOCOLS.add("memory")  # nobody has a store there, but these tests
