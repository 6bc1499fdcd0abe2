"""`platewarden login` and `logout`: signing in at the agency's identity provider, and out again."""

import asyncio
import contextlib
import webbrowser
from typing import Annotated

import typer

from services.cli.kept_sign_in import Kept, alone, kept_file, read, write
from services.cli.locate import CommandError
from services.cli.oidc import Application, by_browser, by_device, discover
from services.cli.options import Json, run
from services.cli.output import Output


def login(
    issuer: Annotated[str, typer.Option("--issuer", envvar="PW_OIDC_ISSUER", help="Of the provider.")] = "",
    client: Annotated[
        str, typer.Option("--client", envvar="PW_OIDC_CLIENT_ID", help="Client id of this program there.")
    ] = "",
    scope: Annotated[
        str, typer.Option("--scope", envvar="PW_OIDC_SCOPE", help="What is asked for.")
    ] = "openid",
    resource: Annotated[
        str, typer.Option("--resource", envvar="PW_OIDC_RESOURCE", help="Resource of the token (RFC 8707).")
    ] = "",
    acr: Annotated[
        str, typer.Option("--acr", envvar="PW_OIDC_REQUIRED_ACR", help="Name of multi-factor sign-in.")
    ] = "",
    device: Annotated[bool, typer.Option("--device", help="By a code, in a browser on any machine.")] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="With password and second factor in any case.")
    ] = False,
    port: Annotated[int, typer.Option("--port", help="Port that the browser comes back to; 0: any.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Shows the address only.")] = False,
    as_json: Json = False,
) -> None:
    """Signs you in at the identity provider. Further commands use the sign-in until it ends."""

    async def work(output: Output) -> None:
        if not issuer or not client:
            raise CommandError("say where: --issuer and --client, or PW_OIDC_ISSUER and PW_OIDC_CLIENT_ID")
        application = Application(issuer, client, scope, resource, acr)
        provider = await asyncio.to_thread(discover, application)

        def show(address: str) -> None:
            output.note(f"Sign in here: {address}")
            if not (device or no_browser):
                webbrowser.open(address)

        if device:
            answer = await by_device(provider, show)
        else:
            answer = await by_browser(provider, show, anew=anew, port=port)
        with alone(kept_file()):
            write(kept_file(), Kept.of(application, answer))
        output.result({"signed_in": True}, "You are signed in.")

    run(work, as_json=as_json)


def logout(as_json: Json = False) -> None:
    """Forgets the sign-in, here and at the provider. `platewarden sign-in end` ends it at once."""

    async def work(output: Output) -> None:
        file = kept_file()
        with alone(file):
            kept = read(file)
            file.unlink(missing_ok=True)
        if kept is not None and kept.refresh_token:
            with contextlib.suppress(CommandError):  # it is forgotten here, whatever the provider says
                provider = await asyncio.to_thread(discover, kept.application)
                await asyncio.to_thread(provider.revoke, kept.refresh_token)
        output.result({"signed_in": False}, "You are signed out.")

    run(work, as_json=as_json)
