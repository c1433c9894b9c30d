"""Which language a text is in: by its script, and where many languages share a script, by their commonest words.

This tells prose of a sentence or more apart, which is what a data set is filtered by; it needs no model, and decides
alike on every computer. A text without enough to go by (a number, code, two words) has no language, and no rule drops
it for its language.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# The commonest function words, as frequency lists of each language begin. Words that several languages share count for
# each of them, so that a text is decided by those that they do not share.
_COMMON: Mapping[str, str] = {
    "cs": "a se na v je to že s z do i o k jsou ale jako za by si který která které po tak byl bylo není nebo jeho pro",
    "da": "og i at det er en til af på som for med den der de ikke et har var jeg han kan fra vil men om så også eller",
    "de": "der die das und ist in zu den nicht von sie es mit sich des auf für als dem ein eine auch werden wird "
    "aus bei nach oder wie ich wir kann einen durch sind zum zur",
    "en": "the of and to in a is that for it as was with be by on not this are or at from have you which an they "
    "can will their has but your we if more i",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me sin "
    "sobre este ya entre cuando muy son también hay",
    "fi": "ja on ei se että oli hän ovat mutta kun joka myös niin kuin tai sen ole voi ovat tämä mukaan jos sitä mikä",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont la vous "
    "avec cette ou être comme mais nous aux ces",
    "hu": "a az és hogy nem is egy ez meg csak de van volt mint ha vagy már még el azt lehet ki ami kell sem amely",
    "id": "yang dan di untuk dengan dari ini pada adalah tidak dalam akan itu ke dapat juga atau oleh sebagai "
    "karena mereka anda bisa saya",
    "it": "di e il la che in un a per è una sono con non si da del le della dei come i nel alla più anche o ma "
    "questo gli al delle lo se essere può",
    "nl": "de het een van en in is dat op te zijn met voor niet die aan er om ook als bij door maar naar dan wordt "
    "kan uit je ze heeft worden deze",
    "no": "og i å det er en til av på som for med den de ikke et har var jeg kan fra vil men om så også eller ved bli",
    "pl": "w i na z się nie do to jest że o jak a po co od za ale dla przez są by może jego tym czy które który także",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas ao ele das à seu sua ou "
    "ser quando muito são você também",
    "ro": "de și a în la că nu cu pe se un o din este care mai ca sunt pentru să al ale sau fi fost prin dar acest",
    "sv": "och i att det som en på är av för med den till inte har de om ett var jag från kan men så vi eller man ska",
    "tr": "ve bir bu da de için ile çok daha olarak olan gibi ne o değil kadar sonra ama en var veya her olduğu",
    "vi": "và của là có được cho trong không các một với những để người này đã khi từ đó như về cũng ra hay bạn",
}
# Scripts of one language, or of one that is by far the commonest in it.
_SCRIPTS = {
    "ar": "؀-ۿ",
    "el": "Ͱ-Ͽ",
    "he": "֐-׿",
    "hi": "ऀ-ॿ",
    "ko": "가-힣ᄀ-ᇿ",
    "ru": "Ѐ-ӿ",
    "th": "฀-๿",
    "zh": "㐀-鿿",
}
_KANA = re.compile("[぀-ヿ]")
_UKRAINIAN = re.compile("[іїєґ]", re.IGNORECASE)
_ONE_OF = {language: re.compile(f"[{letters}]") for language, letters in _SCRIPTS.items()}
_WORD = re.compile(r"[^\W\d_]+")

LANGUAGES = tuple(sorted([*_COMMON, *_SCRIPTS, "ja", "uk"]))

# A longer text is decided by its beginning.
_MOST_CHARACTERS = 4000
# Of its letters so many are in one script when a text is in a language of that script.
_SCRIPT_SHARE = 0.3
_LEAST_LETTERS = 4
# A Latin text is decided by at least so many words, of which at least this share are among the language's commonest.
_LEAST_WORDS = 5
_LEAST_SHARE = 0.15
# And of different ones with more than a letter, so many.
_LEAST_LONGER = 2


def language_of(text: str) -> str | None:
    """Give the language of a text, as one of `LANGUAGES`; None where it does not show."""
    text = text[:_MOST_CHARACTERS]
    words = _WORD.findall(text.lower())
    letters = sum(map(len, words))
    if not text.isascii() and letters >= _LEAST_LETTERS and (found := _by_script(text, letters)):
        return found
    return _by_words(words)


def _by_script(text: str, letters: int) -> str | None:
    kana = len(_KANA.findall(text))
    counts = {language: len(letter.findall(text)) for language, letter in _ONE_OF.items()}
    # Kanji are Chinese letters; a Japanese text has kana between them.
    if kana and (kana + counts["zh"]) / letters >= _SCRIPT_SHARE and kana >= 0.1 * counts["zh"]:
        return "ja"
    language, count = max(counts.items(), key=lambda item: item[1])
    if count / letters < _SCRIPT_SHARE:
        return None
    if language == "ru" and len(_UKRAINIAN.findall(text)) >= 0.02 * count:
        return "uk"
    return language


def _by_words(words: list[str]) -> str | None:
    if len(words) < _LEAST_WORDS:
        return None
    counts: Counter[str] = Counter()
    # Letters alone may be a list, or algebra.
    longer: defaultdict[str, set[str]] = defaultdict(set)
    languages = _languages_of_words()
    for word in words:
        for language in languages.get(word, ()):
            counts[language] += 1
            if len(word) > 1:
                longer[language].add(word)
    first, second, *_ = [*sorted(counts.items(), key=lambda item: (-item[1], item[0])), ("", 0), ("", 0)]
    language, count = first
    enough = count >= _LEAST_SHARE * len(words) and count > second[1] and len(longer[language]) >= _LEAST_LONGER
    return language if enough else None


@cache
def _languages_of_words() -> Mapping[str, tuple[str, ...]]:
    languages: dict[str, tuple[str, ...]] = {}
    for language, words in _COMMON.items():
        for word in dict.fromkeys(words.split()):
            languages[word] = (*languages.get(word, ()), language)
    return languages
