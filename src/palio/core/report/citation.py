"""How to cite a challenge: CITATION.cff (https://citation-file-format.github.io, 1.2.0) and BibTeX."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import yaml

_SPECIAL = re.compile(r"[\\{}$&#^_%~]")
_ESCAPED = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    **{each: f"\\{each}" for each in "{}$&#_%"},
}


def citation_cff(facts: Mapping[str, Any]) -> str:
    """The organizers are authors by the names that the platform knows, which they should complete."""
    content: dict[str, object] = {
        "cff-version": "1.2.0",
        "message": "If you use this challenge or its results, please cite it as below.",
        "type": "dataset",
        "title": facts["title"],
        "authors": [{"name": name} for name in _authors(facts)],
        "date-released": _released(facts),
        "version": str(facts.get("version") or facts["digest"][:12]),
        "identifiers": [
            {
                "type": "other",
                "value": f"sha256:{facts['digest']}",
                "description": "Digest of the challenge's competition.yaml and the files that it names",
            }
        ],
    }
    if facts["description"]:
        content["abstract"] = facts["description"]
    if facts.get("url"):
        content["url"] = facts["url"]
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


def bibtex(facts: Mapping[str, Any]) -> str:
    """One entry, `@misc`."""
    released = _released(facts)
    key = re.sub(r"[^a-z0-9]+", "-", str(facts.get("slug") or facts["title"]).lower()).strip("-") or "challenge"
    fields = {
        "title": f"{{{_tex(facts['title'])}}}",
        "author": " and ".join(f"{{{_tex(name)}}}" for name in _authors(facts)),
        "year": str(released.year),
        "month": f"{released:%b}".lower(),
        "howpublished": f"\\url{{{facts['url']}}}" if facts.get("url") else "",
        "note": f"Challenge, version {facts.get('version', 1)}, sha256:{facts['digest'][:16]}",
    }
    lines = [
        f"  {name} = {value if name == 'month' else '{' + value + '}'}," for name, value in fields.items() if value
    ]
    return "\n".join([f"@misc{{{key}-{released.year},", *lines, "}", ""])


def _authors(facts: Mapping[str, Any]) -> Sequence[str]:
    return facts.get("organizers") or [f"The organizers of {facts['title']}"]


def _released(facts: Mapping[str, Any]) -> date:
    return min(datetime.fromisoformat(phase["start"]) for phase in facts["phases"]).date()


def _tex(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPED[found[0]], text)
