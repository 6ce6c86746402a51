"""A webhook's URL ─► the one address that is connected to: resolved once, and never inside the operator's own network.

A name that leads to several addresses is refused when any of them is not global: which one answers later is not ours
to choose. The caller connects to the address returned, so that a second look-up cannot give another.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from promptsim.errors import UnusableAddressError, UsageError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Sequence[str]]
MOST_CHARS = 2_000
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class BlockedAddressError(UsageError):
    """The URL leads, or may lead, to an address that webhooks are not sent to."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and the name to ask for there."""

    scheme: str
    host: str
    port: int
    address: str
    path: str  # with the query

    @property
    def url(self) -> str:
        """The URL with the address in the place of the name."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        """What the receiver is asked for."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.scheme == "https" else 80) else f"{name}:{self.port}"


def networks(text: str) -> tuple[IpNetwork, ...]:
    """What an operator allows beside global addresses: "127.0.0.0/8, 10.2.0.0/16"."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise UsageError(f"{text!r} is no list of networks: {error}; write e.g. 127.0.0.0/8, fd00::/8") from None


def require_url(url: str, allow: Sequence[IpNetwork] = ()) -> None:
    """Refuse at registration what could never be sent to, or should not be."""
    _, host, _, _ = _parts(url, plain=bool(allow))
    literal = _literal(host)
    if literal is not None:
        _require_open(literal, host, allow)
    elif not allow and (host == "localhost" or host.endswith((".localhost", ".local", ".internal"))):
        raise BlockedAddressError(f"{host} is a name inside a network: webhooks go to public addresses")


def resolve(url: str, allow: Sequence[IpNetwork] = (), resolver: Resolver | None = None) -> Target:
    """The one address that this URL is sent to; BlockedAddressError where any of its addresses is not open to us."""
    scheme, host, port, path = _parts(url, plain=bool(allow))
    literal = _literal(host)
    found = [str(literal)] if literal is not None else list((resolver or look_up)(host, port))
    if not found:
        raise BlockedAddressError(f"{host} has no address")
    for address in found:
        _require_open(ipaddress.ip_address(address.split("%")[0]), host, allow)
    return Target(scheme, host, port, found[0], path)


def look_up(host: str, port: int) -> Sequence[str]:
    """Every address of a name, in the system's order."""
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BlockedAddressError(f"{host} cannot be resolved: {error}") from None
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


def _parts(url: str, *, plain: bool) -> tuple[str, str, int, str]:
    if len(url) > MOST_CHARS or not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise UnusableAddressError(
            "a webhook's URL is plain ASCII of at most 2,000 characters (write other names in punycode)"
        )
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError as error:
        raise UnusableAddressError(f"{url!r} is no URL: {error}") from None
    if split.scheme not in (("http", "https") if plain else ("https",)):
        raise UnusableAddressError(f"{url!r}: webhooks are sent over https")
    if not split.hostname or "\\" in url:
        raise UnusableAddressError(f"{url!r} names no host")
    if split.username is not None or split.password is not None or split.fragment:
        raise UnusableAddressError("a webhook's URL has no user, password or fragment: the signature says who sends")
    path = (split.path or "/") + (f"?{split.query}" if split.query else "")
    return split.scheme, split.hostname.rstrip("."), port or (443 if split.scheme == "https" else 80), path


def _literal(host: str) -> IpAddress | None:
    """The address that a host is written as, in any way that a system's resolver would take for one."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:  # 127.1, 0x7f000001, 2130706433, 0177.0.0.1
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _require_open(address: IpAddress, host: str, allow: Sequence[IpNetwork]) -> None:
    if any(address.version == network.version and address in network for network in allow):
        return
    if not all(map(_is_global, (address, *_inside(address)))):
        raise BlockedAddressError(f"{host} leads to {address}, which is not a public address")


def _is_global(address: IpAddress) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inside(address: IpAddress) -> tuple[IpAddress, ...]:
    """IPv4 addresses that an IPv6 one stands for: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    found: list[IpAddress | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(one for one in found if one is not None)
