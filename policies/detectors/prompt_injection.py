"""Attempts to overrule the instructions of an application: known phrase families, in normalised text.

Honest limits: patterns catch what is said in known words. On public sets of varied attacks, patterns of this kind find
about one in ten; the measure of this detector belongs to the policy engine's benchmark.
"""

from __future__ import annotations

import re

from policies.detectors import Span
from policies.normalising import normalise

VERSION = "prompt-injection/1"

_ANY = r"(?:all |any |every |the |your |my |these |those |this |of |previous |prior |above |earlier |preceding |existing |system |initial |original )"
_FAMILIES = {
    "ignore_instructions": re.compile(
        rf"\b(?:ignore|disregard|forget|override|bypass|do not follow|stop following) {_ANY}{{0,5}}"
        r"(?:instructions?|prompts?|rules?|guidelines?|directions?|commands?|constraints?|context|programming|policies)\b",
        re.IGNORECASE,
    ),
    "reveal_prompt": re.compile(
        r"\b(?:reveal|print|show|repeat|output|display|tell me|leak|dump|give me)(?: me)?"
        rf" {_ANY}{{0,4}}(?:system prompt|hidden prompt|initial prompt|instructions above|secret instructions|developer message)\b",
        re.IGNORECASE,
    ),
    "new_role": re.compile(
        r"\b(?:you are now|from now on,? you(?: are| will)|pretend (?:to be|you are)|act as)\b.{0,60}"
        r"\b(?:dan|jailbr\w+|unrestricted|unfiltered|without (?:any )?(?:restrictions?|rules|filters?|limits?)|no (?:restrictions?|rules|limits?))\b",
        re.IGNORECASE | re.DOTALL,
    ),
    "mode_switch": re.compile(
        r"\b(?:developer|debug|god|admin|sudo|jailbreak|dan) mode\b.{0,30}\b(?:on|enabled?|activated?|now)\b"
        r"|\b(?:enable|activate|enter|switch to) (?:developer|debug|god|admin|sudo|jailbreak|dan) mode\b",
        re.IGNORECASE,
    ),
    "fake_delimiter": re.compile(
        r"<\|(?:im_start|im_end|system|endoftext)\|>|\[/?INST\]|<<SYS>>|(?:^|\n)\s*#{2,}\s*(?:system|new instructions?)\s*:",
        re.IGNORECASE,
    ),
}


def find(path: str, text: str) -> list[Span]:
    """Every family that the text shows, at most once each; the offsets are those of the normalised text."""
    looked_at = normalise(text)
    found = []
    for family, pattern in _FAMILIES.items():
        match = pattern.search(looked_at)
        if match:
            found.append(Span(path, match.start(), match.end(), "PROMPT_INJECTION", family))
    return found
