"""Logs on stderr. As text, a line is `LEVEL module::path message`; as JSON it carries the time too. Never content."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

_QUIET = ("httpx", "httpcore", "uvicorn", "aiosqlite", "alembic", "temporalio.activity", "temporalio.workflow")


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{record.levelname} {record.name.replace('.', '::')} {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(entry).decode()


def set_up(environment: Mapping[str, str]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if environment.get("KT_LOG_FORMAT") == "json" else _Text())
    logging.basicConfig(level=environment.get("KT_LOG_LEVEL", "INFO").upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
