"""What the API is measured against: the same framework and server, and one INSERT in a route."""

import argparse
import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import text

from worker.config.settings import load
from worker.runtime import logs
from worker.store.db import database

log = structlog.get_logger()


class Body(BaseModel):
    """The least that a message is."""

    to: str
    text: str


def create() -> FastAPI:
    """Return the application; its table is `bare`, made by whoever measures."""
    engine = database.connect(load().database_url)
    pool = ThreadPoolExecutor(8)
    app = FastAPI()

    def store(body: Body) -> None:
        with database.writing(engine) as connection:
            connection.execute(
                text("INSERT INTO bare (msisdn, body) VALUES (:to, :text)"), dict(body)
            )

    @app.post("/v1/messages", status_code=202)
    async def take(body: Body) -> dict[str, Any]:
        await asyncio.get_running_loop().run_in_executor(pool, store, body)
        return {}

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int)
    bound = socket.socket(fileno=parser.parse_args().fd)
    logs.configure("INFO")
    log.info("web.listening")
    config = uvicorn.Config(create(), log_config=None, log_level="warning", access_log=False)
    asyncio.run(uvicorn.Server(config).serve([bound]))
