"""Sentences for the voices to speak, made by a small grammar; other languages are in `text_languages`.

Everything is written for this project. English words are plain enough to stand in pronouncing dictionaries, because
one engine's phone times come from forced alignment. The word lists lean towards p b m f v w: the sounds seen best.
"""

from __future__ import annotations

import re

import numpy as np

from diffposetalk.errors import UsageError
from diffposetalk.workshop.corpus.language.text_languages import OTHER_LANGUAGES, foreign_sentence


def _words(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split("|"))


_GRAMMAR: dict[str, tuple[str, ...]] = {
    "line": _words("""
        <statement>.|<statement>.|<statement>.|<statement>.|<long>.|<long>.|<question>?|<question>?|<exclaim>! |
        <list>.|<number>.|<short>.|<request>.|<aside>."""),
    "statement": _words("""
        <np> <did> <np> <where>|<np> <did> <np> <when>|<person> <did> <adjective> <plural> <where> |
        <when>, <person> <did> <np>|<we> <feel> about <np>|the <noun> <be> <adjective> and <adjective>|
        <we> <modal> <do> <np> <when> |<np> <went> <where>|<person> <said> that <np> <be> <adjective>|
        there was <a> <adjective> <noun> <where> |<we> never <did> <a> <adjective> <noun>|
        it <be> <adverb> <adjective> <where>|<person> and <person> <did> <np> |my <relative> <did> <np> for <np>|
        <plural> and <plural> <plbe> <adjective> <when>|both <plural> <went> <where> |
        <adverb>, <np> <went> <where> with <np>|<gerund> <plural> <be> <adverb> <adjective>"""),
    "long": _words("""
        <statement>, <joiner> <statement>|<statement>, but <statement>|
        when <person> <did> <np>, <np> <went> <where> |<statement>, and after that <we> <did> <np>|
        if you <do> <np>, you <modal> <do> <np> <when> |
        <person>, who <did> <np> <when>, <went> <where> and <did> <np>|although <np> <be> <adjective>, <statement> |
        what <we> <feel> about most <be> <np>, because <np> <be> <adjective>"""),
    "question": _words("""
        did <person> <do> <np> <when>|have you ever <done> <np>|what would you <do> if <np> <went> <where> |
        where can <we> find <a> <adjective> <noun>|why <be> <np> so <adjective>|<modal> <we> <do> <np> <where> |
        who <did> <np> <when>|how many <plural> did <person> <do>|do you prefer <plural> or <plural> |
        is that <a> <adjective> <noun>, or <a> <adjective> <noun>|isn't <np> <adjective>|what about <np> |
        which <noun> did you <do> <when>|could you <do> <np> for <person>"""),
    "exclaim": _words("""
        what <a> <adjective> <noun>|how <adjective> <np> <be>|oh my, <statement>|wow, <np> <be> <adjective> |
        please <do> <np>|never <do> <np> <where>|watch out, <np> <went> <where>|
        I can't believe <person> <did> <np> |that's <adverb> <adjective>|happy birthday, <person>|
        welcome, <person>, welcome|bravo, <person>|no way, <np> <be> <adjective> |hooray for <np>|
        move <plural> away from <np>"""),
    "list": _words("""
        <we> bought <plural>, <plural>, <plural>, and <plural>|first <person>, then <person>, and finally <person> |
        <adjective>, <adjective>, and <adverb> <adjective>|
        <count> <plural>, <count> <plural>, and <count> <plural> |
        <person> likes <plural>, <plural>, and above all <plural>|we need <mass>, <mass>, <mass>, and some <mass>"""),
    "number": _words("""
        <count> <plural> <plwent> <where>|the number is <digit> <digit> <digit>, <digit> <digit> <digit> <digit> |
        <count> and <count> make more than <count>|it costs <count> dollars and <tens> cents|
        the meeting is at <count> fifteen |in nineteen <tens> <digit>, <person> <did> <np>|
        chapter <tens> <digit> is about <np>|room <count> <tens>, on floor <digit> |
        about <tens> percent of the <plural> were <adjective>|on <month> <ordinal>, <we> <did> <np> |
        <digit>, <digit>, <digit>, <digit>, and <digit>"""),
    "short": _words("""
        yes|no|maybe|of course|good morning|thank you very much|I see|well, maybe|not now|never mind|my pleasure |
        of course, <person>|perhaps|what now|about time|above all|by the way|fair enough|so far, so good|
        bye bye for now |I'm <adjective>|very <adjective>|more <mass>, please|hmm, perhaps|a <adjective> idea|
        right, <person> |exactly|absolutely|hello, <person>|good evening, everybody|sure, why not"""),
    "request": _words("""
        please <do> <np> <when>|let me <do> <np> first|you should <do> <np> before <person> does |help me <do> <np>|
        put <np> <where>|bring <count> <plural> <where>|give <person> my <noun>|leave <np> <where> |
        remember to <do> <np> <when>|don't <do> <np>, <do> <np>|keep <plural> away from <plural>"""),
    "aside": _words("""
        you know, <statement>|I mean, <np> <be> <adjective>|well, <statement>|to be fair, <np> <be> <adjective> |
        by the way, <person> <did> <np>|as far as I know, <np> <went> <where>|believe it or not, <statement> |
        between you and me, <np> <be> <adverb> <adjective>|in my view, <statement>|frankly, <we> <modal> <do> <np>"""),
    "np": _words("""
        the <noun>|the <adjective> <noun>|<a> <adjective> <noun>|my <noun>|his <adjective> <noun>|our <noun> |
        every <noun>|that <noun>|<person>|the <noun> of <person>|<person>'s <noun>|the <noun> from <place>|
        some <mass> |her <noun> and her <noun>|another <noun>|both of the <plural>|a <cnoun> of <mass>"""),
    "a": _words("the|this|that|one|some"),
    "we": _words("we|you|they|I|we all|people|most of us|both of them|my friends"),
    "where": _words("""
        in the <place>|near the <place>|behind the <noun>|over the <noun>|above the <place>|by the <place> |
        before the <noun>|from the <place>|beyond the <place>|under the <noun>|on top of the <noun>|at <city>|
        from <city> to <city> |across the <place>|beside my <noun>|along the <place>|far from the <place>|
        inside the <noun>|through the <place>"""),
    "when": _words("""
        yesterday|tomorrow morning|every <day>|on <day> evening|before breakfast|after supper|in <month>|next week |
        a moment ago|five minutes later|last <month>|at noon|by midnight|twice a month|all summer|now and then|
        for <count> weeks |from <day> to <day>|whenever possible|sometimes|most of the time|early in the morning|
        right away"""),
    "person": _words("""
        Bob|Mary|Peter|Paul|Emma|Bill|Pam|Phoebe|Victor|William|Abby|Ben|Frank|Molly|Vivian|Wendy|Tom|Sam|Fiona |
        Barbara|Philip|Maria|Robert|Amy|Jim|Steve|Pamela|Walter|Becky|Matthew|Eva|David|Margaret|Stephen|Oliver|
        Rebecca|Fred |Mister Brown|Misses Webb|Doctor Moore|my <relative>|Simon|Thomas|Emily|Jeremy|Louise|Judy|
        George|Charlotte|Sophie |the <job>|the <adjective> <job>"""),
    "relative": _words(
        "mother|father|brother|mom|baby|family|boyfriend|wife|grandmother|papa|nephew|best friend|sister|uncle|aunt"
    ),
    "job": _words("""
        baker|farmer|painter|plumber|waiter|mayor|professor|pilot|bishop|fisherman|barber|blacksmith|captain|
        beekeeper |librarian|chef|poet|actor|policeman|fireman|messenger|weaver|webmaster|physician|driver|shepherd|
        composer|teacher|judge"""),
    "noun": _words("""
        apple|balloon|piano|bumblebee|map|mailbox|lamp|window|movie|umbrella|book|boat|bicycle|problem|bottle|
        puppy |elephant|pumpkin|pillow|camera|violin|butterfly|wolf|volcano|beaver|river|mouse|mountain|valley|
        whale|bubble|pipe|bumper |membrane|web|bamboo|farm|fox|waffle|wave|beam|bathtub|pamphlet|blanket|program|
        pepper|museum|photograph|vehicle|vase|vote |voice|village|mirror|mushroom|muffin|map maker|bee|pebble|
        puzzle|suitcase|garden|chair|shoe|teacup|orange|tiger|question |letter|train|carriage|cookie|clock|church|
        jacket|engine|giraffe|thunderstorm|feather|path|tooth|thumb|room|comb|tomb |envelope|coffee pot|football|
        wheelbarrow|paperback|lump|stamp|champion|microphone|computer|telephone|fireplace|platform"""),
    "plural": _words("""
        apples|balloons|pumpkins|bubbles|maps|movies|books|bumblebees|puppies|beans|mushrooms|muffins|pebbles|
        waves |wolves|leaves|knives|elephants|blueberries|peppers|families|farmers|poems|pipes|lamps|ribbons|robots|
        rabbits|plums|pears |potatoes|tomatoes|buttons|vegetables|violets|whales|waffles|windows|mice|memories|
        problems|public parks|ships |shoes|cherries|cheeses|oranges|teachers|jewels|yellow flowers|wooden boxes|
        paper boats|purple flowers|five frogs |warm blankets|empty bottles|broken cups|foreign films|baby birds|
        mopeds|camels|plates|spoons|stories|songs|geese"""),
    "mass": _words("""
        milk|butter|bread|water|beef|honey|pepper|maple syrup|coffee|flour|rhubarb|wood|wool|paper|pumpkin soup|
        jam |apple pie|peanut butter|vanilla|vinegar|wheat|foam|fabric|mud|music|information|wisdom|fun|perfume|
        cheese|chocolate |soup|oil|tea|juice|sugar|sunshine|snow|smoke|bubble gum|bravery"""),
    "cnoun": _words("cup|bowl|pile|bit|lump|bag|box|pound|bucket|spoonful|piece|jar|barrel|bunch"),
    "place": _words("""
        park|museum|village|farm|bakery|beach|bridge|river|valley|forest|market|pub|mill|theater|library|bank|
        swamp |workshop|office|airport|subway|campus|prairie|cabin|factory|chapel|harbor|meadow|border|cave|
        pavement|mountain pass |kitchen|church|garden|old town|shop|school|station|basement|palace|tower|vineyard|
        coffee bar"""),
    "city": _words("""
        Boston|Paris|Berlin|Memphis|Vienna|Mumbai|Bombay|Warsaw|Prague|Budapest|Miami|Baltimore|Philadelphia|Rome|
        Venice|Moscow|Bremen|Peru|Cuba|Portugal|Finland|Vermont|Iowa|Panama|London|Tokyo|Chicago|Geneva"""),
    "adjective": _words("""
        big|beautiful|brave|bumpy|blue|brown|purple|warm|wet|wonderful|wise|wide|weak|possible|impossible|empty |
        simple|foolish|famous|funny|fabulous|frozen|vivid|vague|very old|pompous|proud|plump|perfect|modern|moody|
        mellow |magnificent|boring|brief|bitter|awful|amazing|ample|quiet|shy|sharp|cheap|cheerful|yellow|green|
        loud|round|smooth|cool |huge|tiny|sweet|thin|thick|strange|obvious|remarkable|comfortable|stubborn|visible|
        available|primitive|responsible |five years old|above average|well known|black and white|forgotten|
        forbidden|half empty|lovely|sleepy|open"""),
    "adverb": _words("""
        very|quite|probably|absolutely|suddenly|perfectly|fairly|wonderfully|simply|obviously|maybe|really|rather|almost|
        remarkably|surprisingly|too|more and more|perhaps|completely"""),
    "did": _words("""
        bought|brought|built|made|broke|found|moved|saved|mopped|pushed|pulled|painted|picked up|put away|watched|
        washed |wanted|filmed|fed|followed|forgave|forgot|opened|mapped|measured|mixed|whipped|wrapped|weighed|
        admired|observed|improved |behaved like|believed|became|swept|kept|left|proved|approved of|remembered|
        complained about|jumped over|bumped into |climbed over|combed|robbed|grabbed|chose|threw|chased|saw|
        told us about|showed|carried|cheered for|thought of|used |invented|developed|removed|photographed|published|
        blamed|welcomed|hoped for|paid for|waved at|whispered about"""),
    "do": _words("""
        buy|bring|build|make|break|find|move|save|push|pull|paint|pick up|put away|watch|wash|want|film|feed|
        follow |forgive|forget|open|map|measure|mix|whip|wrap|weigh|admire|improve|believe|sweep|keep|leave|prove|
        remember|comb|grab |choose|throw|see|show|carry|use|remove|publish|blame|welcome|hope for|pay for|wave at|
        jump over|bump into|look for|love"""),
    "done": _words("""
        bought|brought|built|made|broken|found|moved|saved|pushed|painted|picked up|watched|washed|fed|followed |
        forgiven|forgotten|opened|measured|mixed|wrapped|admired|improved|believed|swept|kept|left|climbed|robbed|
        chosen|seen"""),
    "gerund": _words(
        "moving|buying|baking|boiling|painting|mopping|paving|weaving|picking|watching|making|farming|building|choosing"
    ),
    "went": _words("""
        moved|vanished|waited|walked|jumped|slept|fell|flew|swam|wobbled|bubbled up|woke up|worked|lived|remained |
        appeared|disappeared|arrived|stopped|began to move|blew up|came back|went home|popped up|wandered|performed|
        hopped|floated"""),
    "plwent": _words(
        "moved|vanished|waited|walked|jumped|slept|fell|flew|swam|bubbled up|lived|came back|wandered|floated"
    ),
    "be": _words("is|was|will be|may be|must be|became|might have been|has been|seemed|used to be|should be"),
    "plbe": _words("are|were|will be|may be|must be|became|have been|seem"),
    "modal": _words("will|may|might|must|should|could|would|can"),
    "feel": _words("forget|worry|know|think|wonder|speak|complain|dream|care|talk|boast"),
    "said": _words("said|believed|promised|hoped|mentioned|proved|explained|whispered|wrote|knew|felt"),
    "joiner": _words("so|because|and|before|while|whereas|until|and maybe|and above all"),
    "digit": _words("one|two|three|four|five|six|seven|eight|nine|zero"),
    "tens": _words("twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|fifteen|eleven|twelve"),
    "count": _words(
        "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|<tens> <digit>|"
        "five hundred|a million|<tens>"
    ),
    "ordinal": _words("first|second|third|fourth|fifth|sixth|seventh|tenth|twelfth|twentieth|twenty fifth"),
    "day": _words("Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|weekend"),
    "month": _words("January|February|March|April|May|June|July|August|September|October|November|December"),
}

_VOWEL_SOUND = re.compile(r"\b([Aa]) (?=[aeio])")


def sentence(language: str, rng: np.random.Generator) -> str:
    """Make one sentence (or, for many languages, a phrase of words and syllables).

    Args:
        language: two-letter code; `languages()` lists them.
        rng: the only source of chance: same state, same sentence.

    Raises:
        UsageError: no text is known for the language.
    """
    if language == "en":
        return _english(rng)
    if language in OTHER_LANGUAGES:
        return foreign_sentence(language, rng)
    raise UsageError(f"no text for language {language!r}; known: {' '.join(languages())}")


def languages() -> tuple[str, ...]:
    """Return the codes of all languages that `sentence` can make."""
    return ("en", *OTHER_LANGUAGES)


def _english(rng: np.random.Generator) -> str:
    text = "<line>"
    while (slot := re.search(r"<([a-z]+)>", text)) is not None:
        choices = _GRAMMAR[slot.group(1)]
        text = text[: slot.start()] + choices[int(rng.integers(len(choices)))] + text[slot.end() :]
    text = _VOWEL_SOUND.sub(r"\1n ", re.sub(r"\s+", " ", text))
    return text[0].upper() + text[1:]
