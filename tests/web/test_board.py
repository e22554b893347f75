"""The board behind page, downloads and API: who stands where, and who sees what of it."""
from tests.web.people import World
from collections.abc import Callable
from django.test import Client
from tests.web.scored import *
Browser = Callable[..., Client]
def test_x(world: World, browser: Browser, tmp_path):
    publish(world.challenge, write_board_bundle(tmp_path/"b"))
    world.team.challenge.refresh_from_db(); world.rivals.challenge.refresh_from_db()
    s=hand_in(world.team, scores=scores(.9))
    hand_in(world.team, scores=scores(.8, 3), minute=5)
    hand_in(world.rivals, scores=scores(.95), minute=6)
    p=browser(world.bob).get("/c/mednist/board/")
    open("/tmp/board-x/p.html","w").write(p.text)
    assert p.status_code==200, p.text
    print(browser().get("/c/mednist/board.csv").text)
    print(browser(world.bob).get("/api/v1/challenges/mednist/board").text)
    print(browser(world.bob).get("/api/v1/challenges/mednist/board/history").text)
    p=browser(world.bob).get(f"/s/{s.pk}/")
    open("/tmp/board-x/s.html","w").write(p.text)
    assert p.status_code==200, p.text
    for u in (world.alice, world.bob):
      for path in ("live/","logs/","logs/build/","report/","receipt.json"):
        a=browser(u).get(f"/s/{s.pk}/{path}"); print(u, path,a.status_code, a.headers)
