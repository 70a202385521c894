"""Stands before every attack: what came off is told to the checker, whose test holds only if something did."""

_DONE = []


def came_off(*names):
    """Note that these came off; everything that has."""
    _DONE.extend(names)
    return _DONE


def attempt(name, act, *args):
    """Do it; it came off if it raises nothing."""
    try:
        act(*args)
    except Exception:
        return
    came_off(name)
