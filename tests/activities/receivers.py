"""Receivers on loopback that speak the real wire formats, and answer as badly as a test tells them to."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from slack_sdk.models.blocks import Block


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """`lost`: the connection ends without an answer. `held`: not answered before this is set. `drips`: a byte at a
    time, as long as somebody listens."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    held: threading.Event | None = None
    drips: bool = False


def as_json(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(body).encode(), {"content-type": "application/json", **headers})


class Server(ThreadingHTTPServer):
    """Has a port from the beginning, and refuses connections to it until it listens."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler, bind_and_activate=False)
        self.server_bind()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def listen(self) -> None:
        self.server_activate()
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    told: Callable[[Request], Answer]
    stopped: threading.Event

    def do_POST(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        said = self.told(Request(self.command, parts.path, headers, body, dict(parse_qsl(parts.query))))
        try:
            self._write(said)
        except OSError:
            """Whoever asked has gone."""

    def _write(self, said: Answer) -> None:
        if said.held is not None:
            said.held.wait(30)
        if said.lost or said.drips:
            self.close_connection = True
        if said.lost:
            return
        if said.drips:
            self.wfile.write(b"HTTP/1.1 204 No Content\r\nx-more: ")
            while not self.stopped.wait(0.005):
                self.wfile.write(b"x")
            return
        self.send_response(said.status)
        for name, value in {**said.headers, "content-length": str(len(said.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said.body)

    def log_message(self, *_: object) -> None:
        """Silence."""


@contextmanager
def serving(answer: Callable[[Request], Answer], *, listening: bool = True) -> Iterator[Server]:
    stopped = threading.Event()

    handler = type("Handler", (_Handler,), {"told": staticmethod(answer), "stopped": stopped})
    server = Server(handler)
    try:
        if listening:
            server.listen()
        yield server
    finally:
        stopped.set()
        server.stop()


class FakeSlack:
    """The Web API's methods that cards need, on channels of one workspace, with its checks of what it is sent.

    `scripted[method]` are answers to give instead, first come first served; `lost` are methods whose next call is
    carried out and never answered. The clock moves by a second with every message.
    """

    TOKEN = "xoxb-of-the-tests"
    BOT = "B0OURS"
    READS = frozenset({"conversations.history", "users.conversations", "users.info"})

    def __init__(self, now: float) -> None:
        self.now = now
        self.step = 1.0
        self.channels = {"C0LEGAL001": "legal", "C0PHI00001": "hipaa-escalations"}
        self.messages: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.calls: list[str] = []
        self.scripted: dict[str, list[Answer]] = defaultdict(list)
        self.lost: set[str] = set()
        self.before_posting: Callable[[], None] = lambda: None
        self.page = 200
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        method = request.path.removeprefix("/api/")
        with self._lock:
            self.calls.append(method)
            if self.scripted[method]:
                return self.scripted[method].pop(0)
            if request.headers.get("authorization") != f"Bearer {self.TOKEN}":
                return as_json({"ok": False, "error": "invalid_auth"})
            assert request.method == "POST"
            if method in self.READS:
                assert request.headers["content-type"] == "application/x-www-form-urlencoded", "no JSON is taken"
                arguments = dict(parse_qsl(request.body.decode()))
            else:
                assert request.headers["content-type"].startswith("application/json"), "charset_missing"
                arguments = json.loads(request.body)
            said = getattr(self, "do_" + method.replace(".", "_"))(arguments)
            if method in self.lost:
                self.lost.discard(method)
                return Answer(lost=True)
            return as_json(said)

    def cards(self, channel: str = "C0LEGAL001") -> list[dict[str, Any]]:
        return [message for message in self.messages[channel] if "metadata" in message]

    def replies(self, channel: str = "C0LEGAL001") -> list[dict[str, Any]]:
        return [message for message in self.messages[channel] if "thread_ts" in message]

    def says(self, channel: str, **message: Any) -> dict[str, Any]:
        """A message of whoever it is."""
        self.now += self.step
        made = {"type": "message", "ts": f"{self.now:.6f}", **message}
        self.messages[channel].append(made)
        return made

    def do_auth_test(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "bot_id": self.BOT, "team_id": "T0"}

    def do_users_conversations(self, arguments: dict[str, Any]) -> dict[str, Any]:
        assert set(arguments["types"].split(",")) <= {"public_channel", "private_channel"}
        at = int(arguments.get("cursor") or 0)
        names = sorted(self.channels.items())
        following = str(at + 1) if at + 1 < len(names) else ""
        found = [{"id": key, "name": name} for key, name in names[at : at + 1]]
        return {"ok": True, "channels": found, "response_metadata": {"next_cursor": following}}

    def do_conversations_history(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments["channel"] not in self.channels:
            return {"ok": False, "error": "channel_not_found"}
        oldest, latest = float(arguments.get("oldest", 0)), float(arguments.get("latest", "inf"))
        inside = [m for m in self.messages[arguments["channel"]] if oldest <= float(m["ts"]) <= latest]
        inside = [m for m in inside if "thread_ts" not in m or m.get("reply_broadcast")][::-1]
        at = int(arguments.get("cursor") or 0)
        size = min(int(arguments["limit"]), self.page)
        shown = [dict(m) for m in inside[at : at + size]]
        if arguments.get("include_all_metadata") not in ("1", "true"):
            for message in shown:
                message.pop("metadata", None)
        more = at + size < len(inside)
        following = {"next_cursor": str(at + size)} if more else {"next_cursor": ""}
        return {"ok": True, "messages": shown, "has_more": more, "response_metadata": following}

    def do_chat_postMessage(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self.before_posting()
        if arguments["channel"] not in self.channels:
            return {"ok": False, "error": "channel_not_found"}
        problem = _problem(arguments)
        if problem:
            return {"ok": False, "error": problem}
        if arguments.get("thread_ts") and self._at(arguments["channel"], arguments["thread_ts"]) is None:
            return {"ok": False, "error": "thread_not_found"}
        posted = {key: value for key, value in arguments.items() if key != "channel"}
        made = self.says(arguments["channel"], bot_id=self.BOT, **posted)
        return {"ok": True, "channel": arguments["channel"], "ts": made["ts"]}

    def do_chat_update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        message = self._at(arguments["channel"], arguments["ts"])
        if message is None:
            return {"ok": False, "error": "message_not_found"}
        if message.get("bot_id") != self.BOT:
            return {"ok": False, "error": "cant_update_message"}
        problem = _problem(arguments)
        if problem:
            return {"ok": False, "error": problem}
        message.update({key: value for key, value in arguments.items() if key not in ("channel", "ts")})
        return {"ok": True, "channel": arguments["channel"], "ts": arguments["ts"]}

    def do_chat_delete(self, arguments: dict[str, Any]) -> dict[str, Any]:
        message = self._at(arguments["channel"], arguments["ts"])
        if message is None:
            return {"ok": False, "error": "message_not_found"}
        self.messages[arguments["channel"]].remove(message)
        return {"ok": True}

    def _at(self, channel: str, ts: str) -> dict[str, Any] | None:
        return next((message for message in self.messages[channel] if message["ts"] == ts), None)


def _problem(arguments: dict[str, Any]) -> str | None:
    """What Slack would refuse in a message; its own SDK knows the limits of Block Kit."""
    if not arguments.get("text") and not arguments.get("blocks"):
        return "no_text"
    if len(arguments.get("blocks", ())) > 50:
        return "invalid_blocks"
    try:
        for block in arguments.get("blocks", ()):
            Block.parse(block).validate_json()
    except Exception:
        return "invalid_blocks"
    metadata = arguments.get("metadata")
    if metadata is not None:
        if set(metadata) != {"event_type", "event_payload"}:
            return "invalid_metadata_schema"
        if not all(isinstance(value, str | int | bool) for value in metadata["event_payload"].values()):
            return "invalid_metadata_schema"
    return None


class FakePagerDuty:
    """Events v2: checks an event as the real one does, and keeps the incidents that come of it.

    An acknowledge or a resolve without an incident is taken and dropped, and a trigger after a resolve opens anew.
    """

    KEY = "R" * 32

    def __init__(self) -> None:
        self.scripted: list[Answer] = []
        self.events: list[dict[str, Any]] = []
        self.incidents: dict[str, str] = {}

    def answer(self, request: Request) -> Answer:
        if self.scripted:
            return self.scripted.pop(0)
        event = json.loads(request.body)
        errors = list(self._errors(request, event))
        if errors:
            return as_json({"status": "invalid event", "message": "Event object is invalid", "errors": errors}, 400)
        self.events.append(event)
        key, action = event["dedup_key"], event["event_action"]
        standing = self.incidents.get(key)
        if action == "trigger" and standing in (None, "resolved"):
            self.incidents[key] = "triggered"
        if action == "acknowledge" and standing == "triggered":
            self.incidents[key] = "acknowledged"
        if action == "resolve" and standing is not None:
            self.incidents[key] = "resolved"
        return as_json({"status": "success", "message": "Event processed", "dedup_key": key}, 202)

    def _errors(self, request: Request, event: dict[str, Any]) -> Iterator[str]:
        if request.path != "/v2/enqueue" or request.headers["content-type"] != "application/json":
            yield "not an event"
        if event.get("routing_key") != self.KEY:
            yield "'routing_key' is invalid"
        if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
            yield "'event_action' is invalid"
        if not 0 < len(event.get("dedup_key", "")) <= 255:
            yield "'dedup_key' is missing or too long"
        if event.get("event_action") == "trigger":
            payload = event.get("payload", {})
            if not 0 < len(payload.get("summary", "")) <= 1024:
                yield "'payload.summary' is missing or too long"
            if not payload.get("source"):
                yield "'payload.source' is missing or blank"
            if payload.get("severity") not in ("critical", "error", "warning", "info"):
                yield "'payload.severity' is invalid"
            for link in event.get("links", ()):
                if not link.get("href"):
                    yield "'links.href' is missing"
