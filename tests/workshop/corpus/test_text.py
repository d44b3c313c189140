"""Sentences for the voices."""

import re

import numpy as np
import pytest

from diffposetalk.errors import UsageError
from diffposetalk.workshop.corpus.language.text import languages, sentence


def test_english_is_varied_and_complete():
    rng = np.random.default_rng(0)
    sentences = [sentence("en", rng) for _ in range(4000)]
    assert len(set(sentences)) > 3500
    assert all(re.fullmatch(r"[A-Z][A-Za-z ,.'?!]*[.?!]", s) for s in sentences)
    assert {s[-1] for s in sentences} == {".", "?", "!"}
    words = [len(s.split()) for s in sentences]
    assert min(words) <= 2 and max(words) >= 18
    letters = "".join(sentences).lower()
    assert sum(letters.count(c) for c in "pbmfvw") / len(letters) > 0.09


@pytest.mark.parametrize("language", languages())
def test_same_state_same_sentence(language):
    first = [sentence(language, np.random.default_rng(3)) for _ in range(2)]
    assert first[0] == first[1]
    assert len({sentence(language, np.random.default_rng(seed)) for seed in range(20)}) > 10


def test_unknown_language():
    with pytest.raises(UsageError, match="no text for language 'xx'"):
        sentence("xx", np.random.default_rng(0))


def test_words_stand_in_the_aligners_dictionary():
    pocketsphinx = pytest.importorskip("pocketsphinx", reason="the aligner's dictionary is not installed")
    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    rng = np.random.default_rng(1)
    words = {w for _ in range(1500) for w in re.findall(r"[a-z']+", sentence("en", rng).lower())}
    assert [w for w in sorted(words) if decoder.lookup_word(w.removesuffix("'s")) is None] == []
