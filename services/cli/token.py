"""`platewarden token`: an access token of the development issuer, for calls from other programs."""

from typing import Annotated

import typer

from services.cli.options import DATA_DIR, DataDir, Json, run
from services.cli.output import Output
from services.cli.tokens import DevelopmentTokens


def token(
    subject: Annotated[str, typer.Argument(help="Subject to sign in as.")],
    anew: Annotated[
        bool, typer.Option("--anew", help="Of a new sign-in, after the one of before was ended.")
    ] = False,
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """A token of the development issuer, good for a few minutes. Production has its own identity provider."""

    async def work(output: Output) -> None:
        value = await DevelopmentTokens(data_dir, subject, anew=anew)()
        output.result({"access_token": value}, value)

    run(work, as_json=as_json)
