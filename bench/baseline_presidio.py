"""Presidio's analyzer, run by path in an environment of its own that has `presidio-analyzer`.

Reads `{"texts": [...], "entities": [...]}` from standard input and writes `{"version", "models", "found": [...]}`: for
each text its spans as `[entity, start, end, score]`. No language model is loaded: a blank spaCy pipeline splits words,
so names of people and places are not looked for, and context words, which Presidio compares by lemma, rarely count.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import sys


def main() -> None:
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
            self.nlp = {"en": spacy.blank("en")}

        def load(self) -> None:
            """Nothing: the pipeline is there."""

    logging.disable(logging.CRITICAL)
    # The list of suffixes that comes with the package: the newest one would be downloaded at the first e-mail address.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
    asked = json.load(sys.stdin)
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    registry.remove_recognizer("SpacyRecognizer")
    engine = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])

    found = [
        [[span.entity_type, span.start, span.end, span.score] for span in engine.analyze(text, "en", asked["entities"])]
        for text in asked["texts"]
    ]
    version = importlib.metadata.version("presidio-analyzer")
    json.dump({"version": version, "models": spacy.util.get_installed_models(), "found": found}, sys.stdout)


if __name__ == "__main__":
    main()
