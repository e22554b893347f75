"""`palio verify`: checks whether a receipt is genuine and its scores can be reproduced."""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from palio.cli import rendering
from palio.cli.run import engine_option
from palio.core.errors import EXIT_CODES, PalioError, counted

if TYPE_CHECKING:
    from palio.core.bundle.model import Bundle
    from palio.core.receipt.verify import Verification
    from palio.core.rederive import Rederivation


@click.command()
@click.argument("receipt", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--challenge",
    "-c",
    type=click.Path(exists=True, path_type=Path),
    metavar="BUNDLE",
    help="Also compare the receipt with this challenge, and score the predictions again.",
)
@click.option(
    "--predictions",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder with the predictions. [default: `predictions` next to the receipt]",
)
@engine_option
@click.option(
    "--key",
    metavar="PUBLIC_KEY",
    help="The expected public key: 64 hex digits or a PEM file. [default: this machine's]",
)
@rendering.as_json_option
def verify(
    receipt: Path, challenge: Path | None, predictions: Path | None, engine: str, key: str | None, as_json: bool
) -> int:
    """Verify that RECEIPT is genuine and that the files next to it match.

    RECEIPT is a receipt.json or a run folder. Every file or field that differs is named. With --challenge, the
    predictions are re-scored and the scores compared.

    Exits with 0 if everything matches and the signature is by the expected key.
    """
    # Imported here to keep `palio --help` fast.
    from palio.core import rederive
    from palio.core.bundle.read import read_bundle
    from palio.core.receipt import verify
    from palio.core.receipt.reading import read_receipt

    given = _public_key(key) if key is not None else None
    found = read_receipt(receipt)
    bundle = read_bundle(challenge) if challenge else None
    verification = verify.verify_receipt(found, given=given, predictions=predictions)
    failures = list(verify.refusals(verification, given=given))
    if not as_json:
        _show(verification)
    rederivation = None
    if bundle and not verification.differences:  # changed predictions have other scores anyway
        rederivation = _rederive(verification, bundle, engine, predictions, quiet=as_json)
        failures = [*rederive.refusals(rederivation, bundle), *failures]
    if as_json:
        outcome = _as_json(verification, rederivation)
        rendering.echo_json(outcome | {"failures": [failure.as_json() for failure in failures]})
    elif bundle:
        _show_scores(rederivation)
    for failure in failures:
        rendering.failure(failure)
    return EXIT_CODES[failures[0].cause] if failures else 0


def _public_key(text: str) -> str:
    from palio.core.files.untrusted import UnreadableFileError, read_untrusted
    from palio.core.receipt.key import parse_public_key

    try:
        return parse_public_key(read_untrusted(Path(text), 64 * 1024) if Path(text).exists() else text)
    except (ValueError, UnreadableFileError) as error:
        raise PalioError(
            "usage",
            problem=f"--key {text} is not a public key: {error}.",
            next_step="Give the value of signature.public_key in a receipt, or a PEM file.",
        ) from error


def _rederive(
    verification: "Verification", bundle: "Bundle", engine_name: str, predictions: Path | None, *, quiet: bool
) -> "Rederivation":
    from palio.cli.images import substitutes
    from palio.core.rederive import rederive
    from palio.engines import open_engine

    receipt = verification.receipt
    folder = predictions or receipt.path.parent / "predictions"
    if not folder.is_dir() and receipt.statement.result.get("scores") is not None:
        raise PalioError(
            "usage",
            problem=f"No predictions were found next to {receipt.path}, so they cannot be re-scored.",
            next_step="Name their folder with --predictions.",
        )
    engine, why = open_engine(engine_name)
    click.echo(f"  engine      {engine.describe()}{why}", err=quiet)
    with TemporaryDirectory(prefix="palio-verify-") as work:
        return rederive(receipt, bundle, engine, folder, Path(work), substitutes(()))


def _show(verification: "Verification") -> None:
    from palio.core.receipt.difference import shown
    from palio.core.receipt.scorer import scorer_of

    result, signature = verification.receipt.statement.result, verification.receipt.signature
    outcome = result.get("scores") or result.get("failure")
    lines = {"states": f"{shown(result.get('verdict'))}, {shown(outcome)}".replace('"', "")}
    if scorer := scorer_of(verification.receipt.statement.lock):
        lines["scorer"] = shown(scorer.sentence).strip('"')
    lines["signature"] = "NOT GENUINE"
    if verification.receipt.genuine:
        lines["signature"] = f"genuine, by {verification.signer or 'an unknown key'} ({signature.fingerprint[:16]})"
    count = len(verification.differences)
    lines["files"] = counted(count, "difference") if count else "unchanged since they were signed"
    if not verification.has_files:
        lines["files"] = "none beside the receipt, so only the receipt was verified"
    elif verification.missing:
        lines["missing"] = ", ".join(shown(name).strip('"') for name in verification.missing)
    click.echo(verification.receipt.path)
    for name, text in lines.items():
        click.echo(f"  {name:<10}  {text}")


def _show_scores(rederivation: "Rederivation | None") -> None:
    if rederivation is None:
        click.echo("  challenge   not compared, because the files above changed")
        return
    missing = f", except {', '.join(rederivation.missing)} (missing)" if rederivation.missing else ""
    click.echo(f"  challenge   {'a different one' if rederivation.unlike else 'the same'}{missing}")
    if rederivation.scores:
        again = "different scores"
    elif rederivation.result is None:
        again = "skipped" if rederivation.unlike else "no scores"
    else:
        again = "failed" if rederivation.result.failure else "identical scores"
    click.echo(f"  re-scored   {again}")


def _as_json(verification: "Verification", rederivation: "Rederivation | None") -> dict[str, object]:
    from palio.core.receipt.scorer import scorer_of

    signature, scorer = verification.receipt.signature, scorer_of(verification.receipt.statement.lock)
    scored = rederivation.result if rederivation else None
    return {
        "receipt": str(verification.receipt.path),
        "genuine": verification.receipt.genuine,
        "signer": {
            "known_as": verification.signer,
            "public_key": signature.public_key,
            "fingerprint": signature.fingerprint,
        },
        "attempt": verification.receipt.statement.attempt,
        "scorer": asdict(scorer) if scorer else None,
        "differences": [asdict(difference) for difference in verification.differences],
        "missing": verification.missing,
        "challenge": rederivation
        and {
            "differences": [asdict(difference) for difference in rederivation.unlike],
            "missing": rederivation.missing,
        },
        "scored_again": scored
        and {
            "scores": dict(scored.scores) if scored.scores is not None else None,
            "differences": [asdict(difference) for difference in rederivation.scores] if rederivation else [],
        },
    }
