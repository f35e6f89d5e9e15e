"""The process of a Prefect server that stays: Prefect's own server, and the reports beside it."""

import uvicorn
from prefect.server.api.server import create_app
from prefect.settings import PREFECT_SERVER_API_KEEPALIVE_TIMEOUT, PREFECT_SERVER_API_PORT

from flows.orchestration.served_reports import report_route

HOST = "127.0.0.1"


def serve() -> None:
    """Run the server until it is ended, with the settings of this process's environment."""
    app = create_app(final=True)
    app.router.routes.insert(0, report_route())  # before the pages, which answer any path
    uvicorn.run(
        app,
        host=HOST,
        port=PREFECT_SERVER_API_PORT.value(),
        timeout_keep_alive=PREFECT_SERVER_API_KEEPALIVE_TIMEOUT.value(),
        log_level="info",
    )


if __name__ == "__main__":
    serve()
