"""The flows by the names of their commands."""

from pkgutil import resolve_name

from gargalo.public_names import flows


def flow_of(command):
    """Return the flow of a command; its function may have another name, as `next_images`."""
    return resolve_name(f"flows.{command}:{flows()[command].function or command}")


def loaded_by(work, *arguments, **parameters):
    """Load what a flow needs, as its command does while a server starts; tell if it needs any."""
    load = work(*arguments, **parameters)
    if load:
        load()
    return load is not None
