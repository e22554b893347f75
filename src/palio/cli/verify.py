"""`palio verify`: is a receipt genuine, and does it re-derive?"""

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
    help="Also compare this challenge, and score the predictions with it once more.",
)
@click.option(
    "--predictions",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The predictions. [default: the folder of that name beside the receipt]",
)
@engine_option
@click.option("--key", metavar="PUBLIC_KEY", help="Whose it has to be: 64 digits, or a file. [default: this machine's]")
@rendering.as_json_option
def verify(
    receipt: Path, challenge: Path | None, predictions: Path | None, engine: str, key: str | None, as_json: bool
) -> int:
    """Say whether RECEIPT, or the receipt of a run folder, is genuine, and whose it is.

    Compares everything beside it with what was signed, and names each file and field that differs. Exit code 0 if all
    is as it was signed by the key that was given or this machine's, and, with --challenge, the scores came out again.
    """
    # Here and not above: `palio --help` needs none of it.
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
    if bundle and not verification.differences:  # predictions that were changed have scores of their own
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
            problem=f"--key {text} is no public key: {error}.",
            next_step="Give the digits that a receipt has as signature.public_key, or a file in PEM.",
        ) from error


def _rederive(
    verification: "Verification", bundle: "Bundle", engine_name: str, predictions: Path | None, *, quiet: bool
) -> "Rederivation":
    from palio.core.rederive import rederive
    from palio.engines import open_engine

    receipt = verification.receipt
    folder = predictions or receipt.path.parent / "predictions"
    if not folder.is_dir() and receipt.statement.result.get("scores") is not None:
        raise PalioError(
            "usage",
            problem=f"The predictions are not beside {receipt.path}, and without them nothing can be scored again.",
            next_step="Name the folder that holds them with --predictions.",
        )
    engine, why = open_engine(engine_name)
    click.echo(f"  engine      {engine.describe()} ({why})", err=quiet)
    with TemporaryDirectory(prefix="palio-verify-") as work:
        return rederive(receipt, bundle, engine, folder, Path(work))


def _show(verification: "Verification") -> None:
    from palio.core.receipt.difference import shown

    result, signature = verification.receipt.statement.result, verification.receipt.signature
    outcome = result.get("scores") or result.get("failure")
    lines = {"states": f"{shown(result.get('verdict'))}, {shown(outcome)}".replace('"', ""), "signature": "NOT GENUINE"}
    if verification.receipt.genuine:
        lines["signature"] = f"genuine, by {verification.signer or 'an unknown key'} ({signature.fingerprint[:16]})"
    count = len(verification.differences)
    lines["beside it"] = counted(count, "difference") if count else "all as it was signed"
    if verification.not_there:
        lines["not there"] = ", ".join(shown(name).strip('"') for name in verification.not_there)
    click.echo(verification.receipt.path)
    for name, text in lines.items():
        click.echo(f"  {name:<10}  {text}")


def _show_scores(rederivation: "Rederivation | None") -> None:
    if rederivation is None:
        click.echo("  challenge   not compared, as what it would be compared with was changed")
        return
    missing = f", apart from {', '.join(rederivation.not_there)}, not there" if rederivation.not_there else ""
    click.echo(f"  challenge   {'another one' if rederivation.unlike else 'the same'}{missing}")
    if rederivation.scores:
        again = "other scores"
    elif rederivation.result is None:
        again = "not tried" if rederivation.unlike else "there are none"
    else:
        again = "failed" if rederivation.result.failure else "the same, to the last digit"
    click.echo(f"  scored now  {again}")


def _as_json(verification: "Verification", rederivation: "Rederivation | None") -> dict[str, object]:
    signature = verification.receipt.signature
    scored = rederivation.result if rederivation else None
    return {
        "receipt": str(verification.receipt.path),
        "genuine": verification.receipt.genuine,
        "signer": {
            "known_as": verification.signer,
            "public_key": signature.public_key,
            "fingerprint": signature.fingerprint,
        },
        "differences": [asdict(difference) for difference in verification.differences],
        "not_there": verification.not_there,
        "challenge": rederivation
        and {
            "differences": [asdict(difference) for difference in rederivation.unlike],
            "not_there": rederivation.not_there,
        },
        "scored_again": scored
        and {
            "scores": dict(scored.scores) if scored.scores is not None else None,
            "differences": [asdict(difference) for difference in rederivation.scores] if rederivation else [],
        },
    }
