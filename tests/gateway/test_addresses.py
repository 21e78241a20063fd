"""Who counts as one client: addresses behind trusted proxies, and households."""

import ipaddress

import pytest

from hub.gateway.addresses import MAX_CLIENTS, Addresses, client_address, household


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # not a proxy of ours: what it says is its own invention
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.2.3.4, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense, ", "nonsense"),
        ("", "203.0.113.9", ""),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),  # the hub listens on :: for both families
        ("10.0.0.1", "203.0.113.9:50123, 10.0.0.2:50124", "203.0.113.9:50123"),  # some proxies add the port
    ],
)
def test_client_address(peer: str, forwarded: str, address: str) -> None:
    assert client_address(peer, forwarded, [ipaddress.ip_network("10.0.0.0/8")]) == address


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:50123", "192.0.2.1"),
        ("[2001:db8:1:2::4]:50123", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::4]", "2001:db8:1:2::/64"),
        ("nonsense:1", "nonsense:1"),
        ("nonsense" * 20, ("nonsense" * 20)[:64]),
    ],
)
def test_what_counts_as_one_client(address: str, client: str) -> None:
    assert household(address) == client


def test_one_client_has_one_bucket_whatever_its_port_or_proxy_says() -> None:
    addresses = Addresses(1, 2, ["10.0.0.0/8"])
    bucket = addresses.bucket("192.0.2.1", "", 0)
    assert addresses.bucket("10.0.0.1", "203.0.113.9, 192.0.2.1", 0) is bucket
    assert addresses.bucket("192.0.2.1", "203.0.113.9", 0) is bucket
    assert addresses.bucket("192.0.2.2", "", 0) is not bucket


def test_addresses_do_not_fill_memory() -> None:
    addresses = Addresses(1, 1)
    first = addresses.bucket("first", "", 0)
    for n in range(MAX_CLIENTS - 1):
        addresses.bucket(str(n), "", 0)
    assert addresses.bucket("first", "", 0) is first
    for n in range(MAX_CLIENTS):
        addresses.bucket(f"again {n}", "", 0)
    assert addresses.bucket("first", "", 0) is not first
