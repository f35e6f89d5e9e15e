"""Addresses whose files are kept in memory: nobody has a store there, but these tests."""

from stores.storage.addresses import PROTOCOLS

PROTOCOLS.add("memory")
