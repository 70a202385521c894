# ruff: noqa
"""TCP, UDP, Unix sockets with a path and without, raw sockets, names, the cloud's metadata address."""

import socket


def tcp(address):
    socket.create_connection(address, timeout=0.3).close()


def udp(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"here", ("127.0.0.1", port))


def unix(name):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(name)


def attack(world):
    attempt("tcp", tcp, ("127.0.0.1", world["tcp"]))
    attempt("udp", udp, world["udp"])
    attempt("unix", unix, world["unix"])
    attempt("abstract", unix, "\0" + world["abstract"])
    attempt("raw", socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
    attempt("packet", socket.socket, socket.AF_PACKET, socket.SOCK_RAW)
    attempt("netlink", socket.socket, socket.AF_NETLINK, socket.SOCK_RAW)
    attempt("pair", socket.socketpair)
    attempt("listen", socket.create_server, ("127.0.0.1", 0))
    attempt("names", socket.gethostbyname, "example.com")
    attempt("metadata", tcp, ("169.254.169.254", 80))
    return came_off()
