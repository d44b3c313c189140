"""The phone inventory, its features and the maps from engines' own names."""

from itertools import pairwise

import pytest

from diffposetalk.errors import InputError
from diffposetalk.speech.transcript import phone_maps
from diffposetalk.speech.transcript.phones import (
    FEATURES,
    SYMBOLS,
    VISUAL_CLASSES,
    Phone,
    check_phones,
    fill_silence,
    shift_phones,
)


def test_inventory_is_consistent():
    assert SYMBOLS[0] == "sil"
    assert 40 <= len(SYMBOLS) <= 50
    for symbol, features in FEATURES.items():
        assert features.symbol == symbol
        assert features.visual in VISUAL_CLASSES
        for graded in ("openness", "jaw", "rounded", "spread", "tongue_tip", "tongue_back", "tongue_front"):
            assert 0.0 <= getattr(features, graded) <= 1.0
        assert features.glide is None or FEATURES[features.glide].vowel
        assert features.bilabial == (features.visual == "bil")
        assert features.labiodental == (features.visual == "lab")
    assert {s for s, f in FEATURES.items() if f.bilabial} == {"p", "b", "m"}
    assert {FEATURES[s].visual for s in SYMBOLS} == set(VISUAL_CLASSES)


def test_every_map_leads_to_known_symbols():
    tables = (phone_maps.ITALIAN, phone_maps.FINNISH, phone_maps.CZECH, phone_maps.CATALAN)
    for table in tables:
        for symbols in table.values():
            assert set(symbols.split()) <= set(SYMBOLS)
    for table in (phone_maps._IPA, phone_maps._IPA_LONG):
        for symbols in table.values():
            assert set(symbols.split()) <= set(SYMBOLS)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("ˈaɪ", ["ay"]),
        ("tʃ", ["ch"]),
        ("ts", ["t", "s"]),
        ("ɑːɹ", ["aa", "r"]),
        ("øː", ["oe"]),
        ("r̝̊", ["rr", "zh"]),
        ("ã", ["aa"]),
        ("ç", ["sh"]),
        ("sʲ", ["s"]),
        ("", ["sil"]),
        ("ɐ", ["ax"]),
        ("m", ["m"]),
    ],
)
def test_ipa(label, expected):
    assert [p.symbol for p in phone_maps.from_ipa(label, 0.0, 0.1)] == expected


@pytest.mark.parametrize(
    ("label", "expected"), [("AH0", "ax"), ("AH1", "ah"), ("pau", "sil"), ("EY2", "ey"), ("SIL", "sil")]
)
def test_radio(label, expected):
    (phone,) = phone_maps.from_radio(label, 0.0, 0.1)
    assert phone.symbol == expected
    assert phone.stress == (int(label[-1]) if label[-1].isdigit() else 0)


def test_stress_stays_on_vowels():
    phones = phone_maps.from_ipa("ɑːɹ", 0.0, 0.2, stress=1)
    assert [p.stress for p in phones] == [1, 0]
    assert phones[0].end == phones[1].start == pytest.approx(0.1)


def test_check_phones_names_the_first_fault():
    good = [Phone("m", 0.0, 0.1), Phone("aa", 0.1, 0.3)]
    check_phones(good, 0.3)
    with pytest.raises(InputError, match=r"phone 1 .*starts before"):
        check_phones([Phone("m", 0.0, 0.2), Phone("aa", 0.1, 0.3)])
    with pytest.raises(InputError, match="ends before it starts"):
        check_phones([Phone("m", 0.2, 0.2)])
    with pytest.raises(InputError, match="unknown symbol"):
        check_phones([Phone("qq", 0.0, 0.2)])
    with pytest.raises(InputError, match="after the speech"):
        check_phones(good, 0.2)


def test_fill_silence_tiles_the_span():
    phones = [
        Phone("m", 0.1, 0.2),
        Phone("sil", 0.2, 0.25),
        Phone("aa", 0.3, 0.5, 1),
        Phone("b", 0.45, 0.6),
        Phone("z", 0.9, 1.4),
    ]
    tiled = fill_silence(phones, 1.0)
    assert tiled[0].start == 0.0 and tiled[-1].end == 1.0
    assert all(a.end == b.start for a, b in pairwise(tiled))
    assert [p.symbol for p in tiled] == ["sil", "m", "sil", "aa", "b", "sil", "z"]
    check_phones(tiled, 1.0)
    assert fill_silence([], 0.5) == (Phone("sil", 0.0, 0.5),)


def test_shift_scales_first():
    assert shift_phones([Phone("m", 1.0, 2.0)], offset=0.5, scale=0.5) == (Phone("m", 1.0, 1.5),)
