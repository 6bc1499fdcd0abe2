"""`platewarden conformance run`: asks a running system, and says clause by clause how it stands."""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1 import settings_service_pb2_grpc as settings_rpc
from alpr.type.v1.justification_pb2 import Justification
from services.cli.audit import verifier_key
from services.cli.conformance import access, doors, equipment, questions, records
from services.cli.conformance.asker import Asker, find_out
from services.cli.conformance.packs import Values, hold, packs
from services.cli.conformance.page import Result, clause_to_json, counts, page, rule_to_json
from services.cli.conformance.verdicts import Verdict, clauses, judge
from services.cli.locate import CommandError, locate
from services.cli.options import (
    DATA_DIR,
    EXIT_REFUSED,
    CaseKind,
    CaseNumber,
    DataDir,
    Json,
    Offence,
    OutsideAgency,
    Purpose,
    run,
)
from services.cli.output import Output, folded
from services.cli.question import Asked
from services.cli.session import Session, TokenSource
from services.cli.tokens import token_file, token_source
from services.cli.words import ROLE
from services.common.durable import replace_file

app = typer.Typer(no_args_is_help=True, help="Does the running system keep the directive? run.")
CHECKS: Final = (*doors.CHECKS, *questions.CHECKS, *access.CHECKS, *records.CHECKS, *equipment.CHECKS)
_STYLE: Final = {Verdict.PASSED: "green", Verdict.FAILED: "bold red", Verdict.NEEDS_PERSON: "yellow"}


@app.command("run")
def run_conformance(
    kind: CaseKind,
    case_number: CaseNumber,
    purpose: Purpose,
    offence: Offence,
    people: Annotated[
        list[str] | None,
        typer.Option("--as", help="ROLE=SUBJECT at the development issuer; once for each role."),
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option(
            "--tokens", file_okay=False, exists=True, help="Folder with a token file for each ROLE."
        ),
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", dir_okay=False, exists=True, help="The log's public key.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Also write the result as a page.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also leave the result where the console has it from.")
    ] = None,
    outside_agency: OutsideAgency = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Asks the running system with accounts that people lend, and judges each clause by its answers.

    What is asked stands in the log under those accounts with the case number and purpose given here, refusals
    included. Nothing is changed: acts are tried by those who must be refused, or say what holds already. Ends
    with 1 when a clause fails. What cannot be seen from outside needs a person, and so does what nobody lent
    an account for.
    """
    asked = Asked(
        kind=kind, case_number=case_number, outside_agency=outside_agency, purpose=purpose, offence=offence
    )
    why = asked.justification()
    results: list[Result] = []

    async def work(output: Output) -> None:
        sources = _sources(people or [], tokens, data_dir)
        key = public_key.read_text(encoding="ascii") if public_key else _key_here(data_dir)
        results.append(await conform(data_dir, sources, why, key, output.note))
        if html is not None:
            html.write_text(page(results[0]), encoding="utf-8")
        if out is not None:
            replace_file(out, "".join(map(_line, _documents(results[0]))).encode(), 0o644)
        _show(results[0], output)

    run(work, as_json=as_json)
    if any(one.verdict is Verdict.FAILED for one in results[0].judged):
        sys.exit(EXIT_REFUSED)


async def conform(
    data_dir: Path,
    sources: Mapping[str, TokenSource],
    why: Justification,
    key: str,
    note: Callable[[str], None],
) -> Result:
    """How the system that `data_dir` or the environment names stands; tokens by role.

    Raises:
        CommandError: Nobody said where it is.
        AlprError: The case number and purpose would justify no question, so nothing was asked.
    """
    connection = locate(data_dir)
    async with AsyncExitStack() as stack:
        sessions = {
            role: await stack.enter_async_context(Session(connection, source, on_wait=note))
            for role, source in sources.items()
        }
        asker = Asker(connection, sessions, why, key)
        stack.push_async_callback(asker.close)
        await questions.require_lawful(asker)
        findings = await find_out(asker, CHECKS)
        values = await _values(asker)
    when = datetime.now(UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
    return Result(when, judge(clauses(), findings), hold(packs(), findings, values))


async def _values(asker: Asker) -> Values:
    role = next(iter(asker.sessions), None)
    if role is None:
        return Values(None, {})
    stub = settings_rpc.SettingsServiceStub
    kept = await asker.answer(role, stub, "GetRetention", settings_pb.GetRetentionRequest())
    listed = await asker.answer(role, stub, "ListSettings", settings_pb.ListSettingsRequest())
    return Values(kept.retention.days, {one.name: one.value for one in listed.settings})


def _sources(people: list[str], folder: Path | None, data_dir: Path) -> dict[str, TokenSource]:
    found: dict[str, TokenSource] = {}
    for path in sorted(folder.iterdir()) if folder else ():
        found[_role(path.name)] = token_file(path)
    for one in people:
        role, equals, subject = one.partition("=")
        if not (equals and subject):
            raise CommandError(f"--as is ROLE=SUBJECT, for instance auditor=somebody, and not '{one}'")
        found[_role(role)] = token_source(data_dir, subject)
    return found


def _role(word: str) -> str:
    ROLE.number(word)
    return word


def _key_here(data_dir: Path) -> str:
    """The log's key where the stack of `platewarden up` has it, else nothing."""
    try:
        return verifier_key(data_dir)
    except CommandError:
        return ""


def _show(result: Result, output: Output) -> None:
    if output.as_json:
        for one in _documents(result):
            output.json_line(one)
    else:
        output.console.print(_clauses_table(result))
        output.console.print(_packs_table(result))
    output.note(f"clauses: {counts(one.verdict for one in result.judged)}")
    output.note(f"rules of other policies: {counts(one.verdict for one in result.held)}")


def _documents(result: Result) -> list[dict[str, Any]]:
    """A document for each clause, then for each rule of other policies."""
    return [*map(clause_to_json, result.judged), *map(rule_to_json, result.held)]


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False) + "\n"


def _clauses_table(result: Result) -> Table:
    table = Table(*folded("clause", "stands", "what was found"), box=None, pad_edge=False)
    for one in result.judged:
        own = dict.fromkeys(found.sentence for found in one.findings if found.verdict is one.verdict)
        style = _STYLE[one.verdict]
        told = "; ".join(own) or one.clause.person
        table.add_row(one.clause.id, f"[{style}]{one.verdict.value}[/]", escape(told))
    return table


def _packs_table(result: Result) -> Table:
    table = Table(*folded("policy", "stands", "rule, and why"), box=None, pad_edge=False)
    for one in result.held:
        style = _STYLE[one.verdict]
        table.add_row(escape(one.pack), f"[{style}]{one.verdict.value}[/]", escape(f"{one.text} {one.why}"))
    return table
