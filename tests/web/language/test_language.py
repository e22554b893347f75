"""Which language a response has, and what the language changes: words, numbers, e-mails, and no file or address."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils.translation import override
from tests.web.scored_submissions import add_submission, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.core.sentences import Figure, Sentence
from palio.web.language.numbers import duration, figure, number, size
from palio.web.language.sentences import said

Browser = Callable[..., Client]
LEADERBOARD = "/c/mednist/leaderboard/Final/"


def in_language(language: str) -> dict[str, str]:
    return {"Accept-Language": language}


# -- which language


@pytest.mark.parametrize(
    ("asked", "cookie", "language"),
    [
        ("", "", "en"),
        ("de", "", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "", "de"),
        ("it,fr;q=0.9,de;q=0.8", "", "fr"),
        ("it, es", "", "en"),
        ("*", "", "en"),
        ("fr", "de", "de"),
        ("fr", "xx", "fr"),
    ],
)
def test_language_of_the_reader(world: World, browser: Browser, asked: str, cookie: str, language: str) -> None:
    client = browser()
    if cookie:
        client.cookies["django_language"] = cookie
    answer = client.get("/", headers=in_language(asked))
    assert f'<html lang="{language}">' in answer.text
    assert answer["Content-Language"] == language
    assert {"Accept-Language", "Cookie"} <= {each.strip() for each in answer["Vary"].split(",")}
    heading = {"en": "Image-AI challenges", "de": "Bild-KI-Challenges", "fr": "Des défis d’IA"}[language]
    assert f"<h1>{heading}" in answer.text


def test_default_of_the_platform(world: World, browser: Browser, settings: Any) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, language="fr")
    assert '<html lang="fr">' in browser().get("/").text
    assert '<html lang="fr">' in browser().get("/", headers=in_language("it")).text
    assert '<html lang="en">' in browser().get("/", headers=in_language("en")).text


@pytest.mark.parametrize("path", ["/api/v1/challenges/mednist", "/robots.txt", "/c/mednist/phases.ics"])
def test_programs_read_the_same_in_all_languages(world: World, browser: Browser, path: str) -> None:
    english, german = (browser().get(path, headers=in_language(language)) for language in ("en", "de"))
    assert english.status_code == 200
    assert english.content == german.content
    assert "Accept-Language" not in german.get("Vary", "")


def test_error_text_is_english_and_says_so(world: World, browser: Browser) -> None:
    page = browser().get("/c/nothing/", headers=in_language("de"))
    english = browser().get("/c/nothing/")
    assert page.status_code == 404
    title = english.text.split("<h1>")[1].split("</h1>")[0]
    assert f'<h1><span lang="en">{title}</span></h1>' in page.text
    assert "Alle Challenges ansehen" in page.text


# -- choosing one


def test_choice_in_the_footer(world: World, browser: Browser) -> None:
    client = browser(world.bob)
    chosen = {"Origin": "http://127.0.0.1", "Referer": f"http://127.0.0.1{LEADERBOARD}"}
    answer = client.post("/language/", {"language": "de"}, headers=chosen)
    assert (answer.status_code, answer["Location"]) == (302, chosen["Referer"])
    assert '<html lang="de">' in client.get("/").text
    world.bob.refresh_from_db()
    assert world.bob.language == "de"


@pytest.mark.parametrize("origin", [{}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}])
def test_choice_from_elsewhere_refused(world: World, browser: Browser, origin: dict[str, str]) -> None:
    client = browser(world.bob)
    assert client.post("/language/", {"language": "de"}, headers=origin).status_code == 403
    assert client.get("/language/", headers={"Origin": "http://127.0.0.1"}).status_code == 405
    world.bob.refresh_from_db()
    assert world.bob.language == ""
    assert '<html lang="en">' in client.get("/").text


def test_choice_returns_only_to_this_site(world: World, browser: Browser) -> None:
    given = {"language": "de", "next": "https://elsewhere.example/"}
    answer = browser().post("/language/", given, headers={"Origin": "http://127.0.0.1"})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_unknown_language_ignored(world: World, browser: Browser) -> None:
    client = browser(world.bob)
    client.post("/language/", {"language": "tlh"}, headers={"Origin": "http://127.0.0.1"})
    world.bob.refresh_from_db()
    assert world.bob.language == ""
    assert '<html lang="en">' in client.get("/").text


def test_footer_gives_visitors_no_cookie(world: World, browser: Browser) -> None:
    answer = browser().get("/")
    assert "Deutsch" in answer.text
    assert dict(answer.cookies) == {}


# -- numbers


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("en", ("0.9530", "1,800.5", ".031", "31 %", "1.20 GiB", "0.8 s")),
        ("de", ("0,9530", "1.800,5", "0,031", "31 %", "1,20 GiB", "0,8 s")),
        ("fr", ("0,9530", "1\xa0800,5", "0,031", "31 %", "1,20 Gio", "0,8 s")),
    ],
)
def test_numbers(language: str, texts: tuple[str, ...]) -> None:
    with override(language):
        written = (
            number(0.953, ".4f"),
            figure("1,800.5"),
            figure(".031"),
            figure("31 %"),
            size(1.2 * 2**30),
            duration(0.8),
        )
    assert written == texts


def test_sentence_of_core_said_again() -> None:
    sentence = Sentence.of_count(
        "%(cases)s case cannot tell the first %(teams)s apart.",
        "%(cases)s cases cannot tell the first %(teams)s apart.",
        1800,
        cases=Figure("1,800"),
        teams=Sentence("three"),
    )
    assert sentence == "1,800 cases cannot tell the first three apart."
    with override("de"):
        assert said(sentence) == "1.800 Fälle können die ersten drei nicht voneinander unterscheiden."
        assert said("No sentence.") == "No sentence."
    assert said(sentence) == sentence


# -- the leaderboard, which is cached


@pytest.fixture
def ranked(world: World, tmp_path: Path) -> World:
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle"))
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()
    add_submission(world.team, scores=scores(0.953))
    add_submission(world.rivals, scores=scores(0.7), minute=1)
    return world


def test_leaderboard_in_each_language_from_one_cache(ranked: World, browser: Browser) -> None:
    client = browser()
    pages = {
        language: client.get(LEADERBOARD, headers=in_language(language)) for language in ("en", "de", "fr", "en", "de")
    }
    for language, score, heading in (("en", "0.95", "Rank"), ("de", "0,95", "Rang"), ("fr", "0,95", "Rang")):
        cells = pages[language].text.split("<tbody>")[1].split("</tbody>")[0]
        assert f'<td class="number primary">{score}' in cells
        assert f">{heading}</a>" in pages[language].text
        assert ("0.95" in cells) is (language == "en")
    assert len({page["ETag"] for page in pages.values()}) == 3


def test_leaderboard_not_modified_only_in_the_same_language(ranked: World, browser: Browser) -> None:
    client = browser()
    tag = client.get(LEADERBOARD, headers=in_language("de"))["ETag"]
    assert client.get(LEADERBOARD, headers={"If-None-Match": tag, **in_language("de")}).status_code == 304
    assert client.get(LEADERBOARD, headers={"If-None-Match": tag, **in_language("fr")}).status_code == 200


@pytest.mark.parametrize("end", ["csv", "json", "svg"])
def test_leaderboard_files_in_english(ranked: World, browser: Browser, end: str) -> None:
    path = f"/c/mednist/leaderboard.{end}"
    browser().get(LEADERBOARD, headers=in_language("de"))
    english, german = (browser().get(path, headers=in_language(language)) for language in ("en", "de"))
    assert english.content == german.content
    assert b"0.95" in english.content


def test_drawing_in_the_language_of_its_address(ranked: World, browser: Browser) -> None:
    drawn = browser().get("/c/mednist/leaderboard.svg?lang=de").text
    assert ">0,95" in drawn
    assert "2 Teams" in drawn
    assert "0.95" in browser().get("/c/mednist/leaderboard.svg?lang=tlh").text
