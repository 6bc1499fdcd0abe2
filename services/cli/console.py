"""`platewarden console`: where the web console of the stack on this machine is, and what it asks for."""

import webbrowser
from typing import Annotated

import typer

from services.cli.locate import CommandError, read_stack
from services.cli.options import DATA_DIR, DataDir, Json, run
from services.cli.output import Output


def console(
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in this machine's browser.")] = False,
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Says where the web console is. It asks for the secret in a file, which is never put into an address."""

    async def work(output: Output) -> None:
        stack = read_stack(data_dir)
        if not stack.console_url:
            raise CommandError("this stack has no console; start one with `platewarden up`")
        said = {"console_url": stack.console_url}
        lines = [stack.console_url]
        if stack.issuer_url:
            said["issuer_secret_file"] = str(stack.issuer_secret_file)
            lines.append(f"To sign in as anybody, give the secret in {stack.issuer_secret_file}")
        output.result(said, "\n".join(lines))
        if open_browser and not webbrowser.open(stack.console_url):
            raise CommandError("this machine has no browser to open")

    run(work, as_json=as_json)
