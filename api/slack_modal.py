"""The window in Slack in which a case is decided: what was held, as far as the settings show it, and what must be said.

It offers to release only what it shows to the end (see activities.excerpts). Text is put into `rich_text`, in which
Slack looks for no links, mentions or formatting. What the window was opened with comes back with its answer.

Source: https://docs.slack.dev/reference/views/modal-views, https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from activities.channels.slack_card import escaped
from activities.channels.words import finding, plain
from activities.excerpts import Shown
from escalations.decisions import Resolution
from escalations.views import View

CALLBACK = "kt_decide"
OUTCOME, CATEGORY, NOTE = "kt_outcome", "kt_category", "kt_note"
MOST_SHOWN = 2800
"""Characters of an answer; Slack takes 3,000 in one text. A longer one is shown in part, and not released from here."""
LONGEST_NOTE = 3000
_LABELS = {
    Resolution.BLOCK: "Block",
    Resolution.ALLOW: "Allow",
    Resolution.REDACT_AND_ALLOW: "Redact as shown, and allow",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """What a window was opened with: the case as it was shown, what may be chosen, and where to answer later."""

    escalation_id: str
    content_digest: str
    claim_epoch: int
    offered: tuple[str, ...]
    response_url: str

    @classmethod
    def read(cls, written: Any) -> Opened:
        """Raises ValueError for what no window of ours was opened with."""
        try:
            told = orjson.loads(written)
            found = cls(**{**told, "offered": tuple(told["offered"])})
        except (TypeError, KeyError, orjson.JSONDecodeError):
            raise ValueError("this is not what a window was opened with") from None
        texts = (found.escalation_id, found.content_digest, found.response_url, *found.offered)
        if not all(isinstance(text, str) for text in texts) or not isinstance(found.claim_epoch, int):
            raise ValueError("this is not what a window was opened with")
        return found


@dataclass(frozen=True, slots=True)
class Answered:
    """What somebody filled in."""

    outcome: str
    category: str
    note: str


def offered(shown: Shown | None) -> tuple[Resolution, ...]:
    """To block needs no look; to release needs one at all of it."""
    if shown is None or len(_joined(shown)) > MOST_SHOWN:
        return (Resolution.BLOCK,)
    return tuple(one for one in Resolution if one in shown.releasable or one is Resolution.BLOCK)


def modal(view: View, shown: Shown | None, categories: Sequence[str], link: str, response_url: str) -> dict[str, Any]:
    """The view for `views.open`."""
    choices = offered(shown)
    opened = Opened(
        view.escalation_id,
        view.content_digest,
        view.claim_epoch,
        tuple(choice.value for choice in choices),
        response_url,
    )
    facts = (
        f"*{escaped(finding(view))}* · {view.severity.value}\n`{escaped(plain(view.escalation_id))}` · <{link}|open it>"
    )
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "title": _plain("Decide"),
        "submit": _plain("Decide"),
        "close": _plain("Cancel"),
        "private_metadata": orjson.dumps(asdict(opened)).decode(),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": facts, "verbatim": True}},
            *_answer(shown),
            _input(OUTCOME, "Outcome", _select({choice.value: _LABELS[choice] for choice in choices})),
            _input(CATEGORY, "Category", _select({name: name.replace("_", " ") for name in categories[:100]})),
            _input(
                NOTE,
                "Why",
                {"type": "plain_text_input", "action_id": NOTE, "multiline": True, "max_length": LONGEST_NOTE},
            ),
        ],
    }


def answered(state: Any) -> Answered:
    """What was filled in, empty where it was not. Raises ValueError for what is no state of such a window."""
    values = state.get("values") if isinstance(state, Mapping) else None
    if not isinstance(values, Mapping):
        raise ValueError("this is not the state of a window")
    return Answered(_chosen(values, OUTCOME), _chosen(values, CATEGORY), _chosen(values, NOTE).strip())


def _chosen(values: Mapping[str, Any], name: str) -> str:
    field = values.get(name)
    element = field.get(name) if isinstance(field, Mapping) else None
    if not isinstance(element, Mapping):
        return ""
    option = element.get("selected_option")
    value = option.get("value") if isinstance(option, Mapping) else element.get("value")
    return value if isinstance(value, str) else ""


def _answer(shown: Shown | None) -> list[dict[str, Any]]:
    if shown is None:
        return [_context("What was held is not shown in Slack, so it can only be blocked here. Open it to release it.")]
    text = _joined(shown)
    whole = len(text) <= MOST_SHOWN
    element = {"type": "text", "text": text[:MOST_SHOWN] or " "}
    blocks = [{"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [element]}]}]
    if not whole:
        blocks.append(_context("This is not all of it, so it can only be blocked here. Open it to release it."))
    elif not shown.releasable:
        blocks.append(_context("There is more to this answer than can be shown here. Open it to release it."))
    return blocks


def _joined(shown: Shown) -> str:
    return visible("\n\n".join(text for _, text in shown.texts))


def visible(text: str) -> str:
    """The text with everything that hides or changes direction made visible: what is approved must be what is seen."""
    return "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else f"⟨U+{ord(c):04X}⟩" for c in text)


def _select(options: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "static_select",
        "options": [{"text": _plain(label[:75]), "value": value[:150]} for value, label in options.items()],
    }


def _input(name: str, label: str, element: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "input",
        "block_id": name,
        "label": _plain(label),
        "optional": False,
        "element": {**element, "action_id": name},
    }


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_plain(text)]}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
