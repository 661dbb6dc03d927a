"""Speaking HTTP to the API, with the standard library alone: `kt` must start fast, and asks little of a client."""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from cli.failures import ERROR, SIGN_IN, TIMEOUT, Failure, from_problem
from cli.profiles import Access

TIMEOUT_S = 30.0
_RETRIED = 3


class Client:
    """Calls to one API. Every POST carries an Idempotency-Key, so that an unknown outcome is asked for again."""

    def __init__(self, access: Access) -> None:
        self._access = access
        parts = urlsplit(access.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failure(f"{access.url!r} (from {access.url_from}) is not a URL of an API", code="bad_url")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._base = parts.path.rstrip("/")

    @property
    def url(self) -> str:
        """Where the API is, without a slash at the end."""
        return self._access.url.rstrip("/")

    def get(self, path: str, **query: Any) -> Any:
        return self._json("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Raises Failure. An outcome that is unknown is asked for again with the same key."""
        key = key or secrets.token_hex(16)
        for attempt in range(_RETRIED):
            try:
                return self._json("POST", path, body=body, headers={"idempotency-key": key})
            except Failure as failure:
                if failure.code != "outcome_unknown" or attempt == _RETRIED - 1:
                    raise
        raise AssertionError("unreachable")

    def post_for_lines(self, path: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """A JSON object for each line of the answer, as it comes. Raises Failure."""
        headers = {"accept": "application/x-ndjson", "idempotency-key": secrets.token_hex(16)}
        for attempt in range(_RETRIED):
            connection, answer = self._send("POST", path, {}, body, headers, timeout=60.0)
            try:
                if answer.status == 200:
                    yield from (json.loads(line) for line in answer)
                    return
                failure = self._failure(answer.status, answer.read())
            except (OSError, http.client.HTTPException) as fault:
                raise self._unreachable(fault) from None
            finally:
                connection.close()
            if failure.code != "outcome_unknown" or attempt == _RETRIED - 1:
                raise failure

    def put(self, path: str, body: Mapping[str, Any], **query: Any) -> Any:
        return self._json("PUT", path, query=query, body=body)

    def delete(self, path: str) -> Any:
        return self._json("DELETE", path)

    def stream(self, path: str, last_event_id: str | None = None) -> Iterator[dict[str, str]]:
        """Server-sent events as {event, data, id}, until the server ends them. Raises Failure."""
        headers = {"accept": "text/event-stream", **({"last-event-id": last_event_id} if last_event_id else {})}
        connection, answer = self._send("GET", path, {}, None, headers, timeout=60.0)
        try:
            if answer.status != 200:
                raise self._failure(answer.status, answer.read())
            event: dict[str, str] = {}
            for raw in answer:
                line = raw.decode().rstrip("\r\n")
                if not line:
                    if "data" in event:
                        yield event
                    event = {}
                elif not line.startswith(":"):
                    name, _, value = line.partition(":")
                    event[name] = value.removeprefix(" ")
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        connection, answer = self._send(method, path, query or {}, body, headers or {}, timeout=TIMEOUT_S)
        try:
            raw = answer.read()
        except (OSError, http.client.HTTPException) as fault:
            raise self._unreachable(fault) from None
        finally:
            connection.close()
        if answer.status >= 300:
            raise self._failure(answer.status, raw)
        return json.loads(raw) if raw else None

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        *,
        timeout: float,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        given = {name: value for name, value in query.items() if value is not False and value not in (None, (), [], "")}
        asked = urlencode({n: "true" if v is True else v for n, v in given.items()}, doseq=True)
        where = f"{self._base}{quote(path)}" + (f"?{asked}" if asked else "")
        sent = {"accept": "application/json", "user-agent": "kt", **headers}
        if self._access.token:
            sent["authorization"] = f"Bearer {self._access.token}"
        if body is not None:
            sent["content-type"] = "application/json"
        connection = self._connect(timeout)
        try:
            connection.request(method, where, None if body is None else json.dumps(body), sent)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as fault:
            connection.close()
            raise self._unreachable(fault) from None

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout)

    def _failure(self, status: int, raw: bytes) -> Failure:
        try:
            problem = json.loads(raw)
        except ValueError:
            problem = {}
        failure = from_problem(status, problem if isinstance(problem, dict) else {})
        if failure.exit_code == SIGN_IN:
            failure.hint = "run `kt login --with-token`, or set KEEPTRUSTS_API_TOKEN"
        return failure

    def _unreachable(self, fault: Exception) -> Failure:
        if isinstance(fault, socket.timeout):
            return Failure(f"the API at {self._access.url} did not answer in time", TIMEOUT, code="timeout")
        hint = f"the address comes from {self._access.url_from}; set KT_API_URL, or start one with `kt dev`"
        return Failure(f"no API answers at {self._access.url}", ERROR, code="unreachable", hint=hint)
