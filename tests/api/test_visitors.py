"""Minting and renewing visitors' tokens."""

import pytest

from hub.gateway.tokens import RENEWABLE_S, VISITOR_TOKEN_S
from tests.api.world import NOW_S, World, problem_of


async def test_a_page_gets_a_token_for_a_new_conversation() -> None:
    world = World()
    answer = await world.ask("POST", "/api/v1/visitors", json={"name": "张三"}, headers={"user-agent": "Phone"})
    said = answer.json()
    assert answer.status_code == 201
    assert (said["conversation"], said["expires_at"]) == ("c7-new1", (NOW_S + VISITOR_TOKEN_S) * 1000)
    visitor = world.tokens.read(said["token"], NOW_S)
    assert (visitor.conversation, visitor.profile.name, visitor.profile.device) == ("c7-new1", "张三", "Phone")  # type: ignore[union-attr]


async def test_no_body_is_a_visitor_who_says_nothing() -> None:
    assert (await World().ask("POST", "/api/v1/visitors")).status_code == 201


async def test_a_body_that_is_none_is_refused_with_the_reason() -> None:
    answer = await World().ask("POST", "/api/v1/visitors", content=b"{")
    assert (answer.status_code, problem_of(answer)["detail"]) == (400, "the body is not JSON")


async def test_a_body_that_is_too_long_is_refused() -> None:
    answer = await World().ask("POST", "/api/v1/visitors", content=b" " * 65_537)
    assert problem_of(answer)["status"] == 413


async def test_a_token_is_renewed_for_the_same_conversation() -> None:
    world = World()
    token = (await world.ask("POST", "/api/v1/visitors", json={"name": "张三"})).json()["token"]
    world.now_s += VISITOR_TOKEN_S + RENEWABLE_S - 1
    said = (await world.ask("POST", "/api/v1/visitors/renew", json={"token": token})).json()
    assert said["conversation"] == "c7-new1"
    assert world.tokens.read(said["token"], world.now_s).profile.name == "张三"  # type: ignore[union-attr]
    world.now_s += 1
    answer = await world.ask("POST", "/api/v1/visitors/renew", json={"token": token})
    assert (answer.status_code, problem_of(answer)["code"]) == (401, "not_renewable")


@pytest.mark.parametrize(("body", "status"), [({"token": "x"}, 401), ({}, 400), ({"token": 7}, 400), ([], 400)])
async def test_what_cannot_be_renewed(body: object, status: int) -> None:
    assert problem_of(await World().ask("POST", "/api/v1/visitors/renew", json=body))["status"] == status


async def test_an_agents_token_is_not_renewed_here() -> None:
    world = World()
    token = world.tokens.mint_agent("a3-wangfang", NOW_S).token
    assert (await world.ask("POST", "/api/v1/visitors/renew", json={"token": token})).status_code == 401


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://hub.example", 201), ("https://shop.example", 201), ("https://other.example", 403), ("null", 403)],
)
async def test_a_page_of_another_site_needs_to_be_allowed(origin: str, status: int) -> None:
    answer = await World().ask("POST", "/api/v1/visitors", headers={"origin": origin})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_one_address_gets_so_many_and_no_more() -> None:
    world = World(tokens_burst=3)
    statuses = [(await world.ask("POST", "/api/v1/visitors")).status_code for _ in range(4)]
    assert statuses == [201, 201, 201, 429]
    answer = await world.ask("POST", "/api/v1/visitors/renew", json={"token": "x"})
    assert answer.headers["retry-after"] == "2"
    assert problem_of(answer)["code"] == "too_many"
    assert world.minted == 3


async def test_a_proxy_is_believed_only_where_it_is_trusted() -> None:
    for trusted, expected in (((), [201, 429]), (("10.0.0.0/8",), [201, 201])):
        world = World(peer="10.0.0.1", tokens_burst=1, trusted_proxies=trusted)
        statuses = [
            (await world.ask("POST", "/api/v1/visitors", headers={"x-forwarded-for": address})).status_code
            for address in ("192.0.2.1", "192.0.2.2")
        ]
        assert statuses == expected
