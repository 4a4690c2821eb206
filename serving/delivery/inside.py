"""Connections that lead outside only: refused by the address that is connected to.

A name is resolved once, each address it has is looked at, and the connection goes to one of those
very addresses: what the name resolves to a moment later (DNS rebinding) changes nothing. An IPv4
address hidden in an IPv6 one is looked at as itself.

>>> inside("8.8.8.8"), inside("127.0.0.1"), inside("::ffff:169.254.169.254")
(False, True, True)
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterable
from typing import Any

import httpcore

EMBEDDING = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""NAT64: the last 32 bits are an IPv4 address."""
REFUSED = tuple(
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",  # a cloud's own service, on a public address
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "::/96",
        "fec0::/10",
    )
)
"""Beside what ``ipaddress`` knows to be loopback, private, link-local, multicast or reserved."""


class InsideAddress(httpcore.ConnectError):
    """The endpoint's name leads to an address inside; nothing was connected to."""


class TooLate(httpcore.TimeoutException):
    """The whole attempt took longer than it may."""


def inside(address: str) -> bool:
    """Whether an IP address is one that no webhook may be sent to."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        hidden = ip.ipv4_mapped or ip.sixtofour
        if hidden is None and ip.teredo is not None:
            hidden = ip.teredo[1]
        if hidden is None and any(ip in net for net in EMBEDDING):
            hidden = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if hidden is not None:
            return inside(str(hidden))
    if any(ip.version == net.version and ip in net for net in REFUSED):
        return True
    return not ip.is_global or ip.is_multicast or ip.is_reserved


class OutsideOnly(httpcore.NetworkBackend):
    """httpcore's sockets, to addresses outside, and within one attempt's time.

    ``deadline`` (``time.monotonic``) ends whatever is under way: a receiver that sends a byte now
    and then cannot hold a sender.
    """

    def __init__(self, allow_inside: bool) -> None:
        self._allow_inside = allow_inside
        self._sockets = httpcore.SyncBackend()
        self.deadline = float("inf")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's addresses that answers; InsideAddress if one of them
        lies inside."""
        error: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._addresses(host, port):
            try:
                stream = self._sockets.connect_tcp(
                    address, port, self.left(), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failure:
                error = failure
                continue
            peer = str(stream.get_extra_info("server_addr")[0])
            if not self._allow_inside and inside(peer):
                stream.close()
                raise InsideAddress(f"{host} led to {peer}")
            return InTime(stream, self)
        raise error

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as failure:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {failure}") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        if not self._allow_inside:
            for address in addresses:
                if inside(address):
                    raise InsideAddress(f"{host} leads to {address}, which lies inside")
        return addresses

    def sleep(self, seconds: float) -> None:
        """Wait between httpcore's own retries, of which there are none."""
        time.sleep(seconds)

    def left(self) -> float:
        """Seconds until the deadline; TooLate when it has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TooLate("the attempt took too long")
        return left


class InTime(httpcore.NetworkStream):
    """A connection whose every step ends with its attempt."""

    def __init__(self, stream: httpcore.NetworkStream, backend: OutsideOnly) -> None:
        self._stream = stream
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._backend.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._backend.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        own = self._stream.start_tls(ssl_context, server_hostname, self._backend.left())
        return InTime(own, self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
