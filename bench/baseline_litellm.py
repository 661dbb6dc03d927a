"""LiteLLM's content filter, run by path in an environment of its own that has `litellm[proxy]`.

Reads `{"categories": [...], "texts": [...]}` from standard input and writes `{"version", "held": [...]}`: for
each text whether the filter, with those of its own category files and its default severity, would have blocked it.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import sys


def main() -> None:
    from fastapi import HTTPException
    from litellm.proxy.guardrails.guardrail_hooks.litellm_content_filter.content_filter import ContentFilterGuardrail

    logging.disable(logging.CRITICAL)
    asked = json.load(sys.stdin)
    guard = ContentFilterGuardrail(
        guardrail_name="baseline",
        categories=[{"category": name, "enabled": True, "action": "BLOCK"} for name in asked["categories"]],
    )
    missing = set(asked["categories"]) - set(guard.loaded_categories)
    if missing:
        sys.exit(
            f"error: this LiteLLM has no category {', '.join(sorted(missing))}; install the version named in the docs"
        )

    def held(text: str) -> bool:
        try:
            guard._filter_single_text(text)
        except HTTPException:
            return True
        return False

    found = [held(text) for text in asked["texts"]]
    json.dump({"version": importlib.metadata.version("litellm"), "held": found}, sys.stdout)


if __name__ == "__main__":
    main()
