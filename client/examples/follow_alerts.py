import asyncio
import os

from platewarden_client import AlertStream, Gap


async def main() -> None:
    host, ca, token = (os.environ[name] for name in ("ALERTS_HOST", "ALERTS_CA", "ALERTS_TOKEN"))
    stream = AlertStream(host, access_token=lambda: token, resume_file="alerts.resume", ca_file=ca)
    async for event in stream:
        text = "gap" if isinstance(event, Gap) else f"{event.alert.alert_id} {event.alert.notice.text}"
        print(text, flush=True)


asyncio.run(main())
