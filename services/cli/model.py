"""`platewarden model`: versions of the recognition models, and which of them reads what."""

from typing import Annotated

import typer

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.ocr.v1.ocr_service_pb2_grpc import OcrServiceStub
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session

app = typer.Typer(no_args_is_help=True, help="Recognition models: list, activate, roll back.")
Reason = Annotated[str, typer.Option("--reason", help="Why, in your words; it goes to the log.")]


@app.command("list")
def list_models(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The versions that are here, and what share of the sensors each one reads."""

    async def work(session: Session, output: Output) -> None:
        answer: pb.ListModelsResponse = await session.call(_stub(session).ListModels, pb.ListModelsRequest())
        columns = ("version", "made on", "licence", "sensors", "issuers", "file", "SHA-256")
        rows = (
            (
                one.version,
                one.made_on,
                one.licence,
                f"{one.sensor_share:.0%}",
                str(len(one.issuers)),
                file.name,
                file.sha256.hex(),
            )
            for one in answer.versions
            for file in one.files
        )
        output.table(answer.versions, columns, rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def activate(
    version: Annotated[str, typer.Argument(help="The version, for instance plates-1.")],
    reason: Reason,
    share: Annotated[
        float, typer.Option("--share", min=0, max=1, help="Share of the sensors; 0 ends its trial.")
    ] = 1.0,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Lets a version read the frames of all sensors, or of a share of them."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ActivateModelRequest(
            request_id=new_request_id(), version=version, sensor_share=share, reason=reason
        )
        answer: pb.ActivateModelResponse = await session.call(_stub(session).ActivateModel, request)
        output.result(answer, sentence(answer.roll_out))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def rollback(reason: Reason, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """Ends the trial that is under way, or else returns to the version before."""

    async def work(session: Session, output: Output) -> None:
        request = pb.RollBackModelRequest(request_id=new_request_id(), reason=reason)
        answer: pb.RollBackModelResponse = await session.call(_stub(session).RollBackModel, request)
        output.result(answer, sentence(answer.roll_out))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def sentence(roll_out: pb.RollOut) -> str:
    """What is rolled out, for people."""
    if not roll_out.trial_version:
        return f"[bold]{roll_out.steady_version}[/] reads the frames of all sensors"
    return (
        f"[bold]{roll_out.trial_version}[/] reads the frames of {roll_out.trial_share:.0%} of the sensors, "
        f"[bold]{roll_out.steady_version}[/] those of the others"
    )


def _stub(session: Session) -> OcrServiceStub:
    return OcrServiceStub(session.channel("ocr_people"))
