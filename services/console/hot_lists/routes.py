"""The addresses of the pages of hot lists."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import Route

from services.console.door import Door
from services.console.hot_lists import acts, lists, local, uploads, versions


def routes(door: Door) -> Sequence[Route]:
    """The lists, one list, its versions and uploads, and local lists."""
    return (
        Route("/hot-lists", door.page(lists.show), methods=["GET"]),
        Route("/hot-lists", door.page(acts.create), methods=["POST"]),
        Route("/hot-lists/local", door.page(local.show), methods=["GET"]),
        Route("/hot-lists/local", door.page(local.add), methods=["POST"]),
        Route("/hot-lists/local/remove", door.page(local.remove), methods=["POST"]),
        Route("/hot-lists/{hot_list_id:uuid}", door.page(lists.show_one), methods=["GET"]),
        Route(
            "/hot-lists/{hot_list_id:uuid}/upload",
            door.page(uploads.upload, most_bytes=uploads.MOST_BYTES),
            methods=["POST"],
        ),
        Route("/hot-lists/{hot_list_id:uuid}/activate", door.page(acts.activate), methods=["POST"]),
        Route("/hot-lists/{hot_list_id:uuid}/approve", door.page(acts.approve), methods=["POST"]),
        Route("/hot-lists/{hot_list_id:uuid}/deactivate", door.page(acts.deactivate), methods=["POST"]),
        Route("/hot-lists/{hot_list_id:uuid}/difference", door.page(versions.difference), methods=["POST"]),
        Route("/hot-lists/{hot_list_id:uuid}/refused/{upload_id:uuid}", door.page(uploads.refused_upload)),
    )
