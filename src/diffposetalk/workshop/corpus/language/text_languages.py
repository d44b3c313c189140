"""Phrases in other languages: everyday words in loose order, and nonsense syllables rich in lip sounds.

The phrases need not make sense: they carry other languages' sounds and sound sequences, in their own spelling.
"""

from __future__ import annotations

import numpy as np

_WORDS: dict[str, str] = {
    "it": """mamma papà bambino bambina pane vino fame fumo favola vapore bello brutto primavera piove nuvola mare
        montagna amico famiglia problema musica finestra porta libro scuola giardino domani sempre mai forse
        bene vedo bevo compro mangio parlo dormo vengo viaggio il la un una di e con per ma dove quando perché
        chiesa gioco cielo sogno figlio acqua uomo uva buono fuoco piccolo grande bianco pomodoro formaggio
        prosciutto zucchero febbraio novembre""",
    "es": """mamá papá bebé pan vino hambre humo fábula vapor bueno bonito primavera lluvia nube mar montaña amigo
        familia problema música ventana puerta libro escuela jardín mañana siempre nunca quizás bien veo bebo
        compro como hablo duermo vengo viaje el la un una de y con por pero donde cuando porque iglesia juego
        cielo sueño hijo agua hombre uva fuego pequeño grande blanco tomate queso jamón azúcar febrero noviembre
        muchacho llave perro guerra""",
    "fr": """maman papa bébé pain vin faim fumée fable vapeur bon beau printemps pluie nuage mer montagne ami famille
        problème musique fenêtre porte livre école jardin demain toujours jamais peut-être bien je vois tu bois
        nous parlons ils dorment le la un une de et avec pour mais où quand pourquoi église jeu ciel rêve fille
        eau homme raisin feu petit grand blanc tomate fromage jambon sucre février novembre chat chien bonjour
        merci deux lune rue peu oeuf soeur cœur pomme""",
    "de": """Mama Papa Baby Brot Wein Hunger Rauch Fabel Dampf gut schön Frühling Regen Wolke Meer Berg Freund
        Familie Problem Musik Fenster Tür Buch Schule Garten morgen immer nie vielleicht wir sehen ihr trinkt
        sie sprechen du schläfst der die das ein eine von und mit für aber wo wann warum Kirche Spiel Himmel
        Traum Tochter Wasser Mann Apfel Feuer klein groß weiß Tomate Käse Schinken Zucker Februar November Pferd
        Pfeffer Vogel Übung Mühe böse zwölf Knopf Bäume neue""",
    "fi": """äiti isä vauva leipä viini nälkä savu satu höyry hyvä kaunis kevät sade pilvi meri vuori ystävä perhe
        ongelma musiikki ikkuna ovi kirja koulu puutarha huomenna aina ehkä minä näen sinä juot me puhumme he
        nukkuvat ja kanssa mutta missä milloin miksi kirkko peli taivas uni tyttö vesi mies omena tuli pieni
        suuri valkoinen tomaatti juusto sokeri helmikuu pappa mamma pumppu pöytä yö työ vapaa viime pimeä vihreä
        lumi""",
    "cs": """máma táta miminko chléb víno hlad kouř pohádka pára dobrý krásný jaro déšť oblak moře hora přítel rodina
        problém hudba okno dveře kniha škola zahrada zítra vždy nikdy možná dobře vidím piješ mluvíme spí a s
        pro ale kde kdy proč kostel hra nebe sen dcera voda muž jablko oheň malý velký bílý rajče sýr cukr únor
        listopad pivo bába pumpa buben vrba veverka žába čáp""",
    "ca": """mare pare nen pa vi fam fum faula vapor bo bonic primavera pluja mar muntanya amic problema finestra
        porta llibre escola demà sempre mai potser veig bec compro parlo dormo vinc el la un una de i amb per
        pero on quan cel fill aigua home foc petit gran blanc formatge sucre febrer novembre bombolla poma pebre
        fava vaca vent""",
    "pt": """mãe pai bebê pão vinho fome fumo fábula vapor bom bonito primavera chuva nuvem mar montanha amigo
        família problema música janela porta livro escola jardim amanhã sempre nunca talvez bem vejo bebo compro
        falo durmo venho o a um uma de e com por mas onde quando igreja jogo céu sonho filho água homem uva fogo
        pequeno grande branco tomate queijo açúcar""",
    "nl": """mama papa baby brood wijn honger rook fabel damp goed mooi lente regen wolk zee berg vriend familie
        probleem muziek raam deur boek school tuin morgen altijd nooit misschien wij zien jullie drinken zij
        praten de het een van en met voor maar waar wanneer waarom kerk spel hemel droom dochter water man appel
        vuur klein groot wit kaas suiker peper boom""",
    "pl": """mama tata chleb wino dym bajka para dobry piękny wiosna deszcz chmura morze góra przyjaciel rodzina
        problem muzyka okno drzwi książka szkoła ogród jutro zawsze nigdy może dobrze widzę pijesz mówimy śpią i
        z dla ale gdzie kiedy kościół gra niebo sen woda jabłko ogień mały wielki biały pomidor ser cukier luty
        baba pompa wóz fala""",
    "sv": """mamma pappa bröd vin rök saga ånga god vacker vår regn moln hav berg vän familj problem musik fönster
        dörr bok skola trädgård morgon alltid aldrig kanske vi ser ni dricker de talar en ett av och med för men
        var när kyrka spel himmel dröm dotter vatten man äpple eld liten stor vit tomat ost socker februari sju
        stjärna köper""",
    "ro": """mama tata pâine vin foame fum abur bun frumos primăvară ploaie nor mare munte prieten familie problemă
        muzică fereastră ușă carte școală grădină mâine mereu poate bine văd beau vorbim dorm și cu pentru dar
        unde când joc cer vis apă om foc""",
    "hu": """mama papa baba kenyér bor füst mese gőz jó szép tavasz eső felhő hegy barát család zene ablak ajtó könyv
        iskola kert holnap mindig soha talán látom iszol beszélünk és de hol mikor miért játék ég álom víz ember
        alma tűz kicsi nagy fehér""",
    "id": """ibu bapak bayi roti asap uap baik indah hujan awan laut gunung teman keluarga masalah musik jendela
        pintu buku sekolah kebun besok selalu mungkin saya melihat kamu minum kami berbicara mereka tidur dan
        dengan untuk tetapi mana mimpi air""",
    "tr": """anne baba bebek ekmek şarap duman masal buhar iyi güzel bahar yağmur bulut deniz dağ arkadaş aile müzik
        pencere kapı kitap okul bahçe yarın her zaman belki görüyorum içiyorsun konuşuyoruz ve ile için ama
        nerede oyun gök rüya su elma""",
}

OTHER_LANGUAGES: tuple[str, ...] = tuple(_WORDS)
"""Language codes besides English."""

_LISTS = {language: tuple(text.split()) for language, text in _WORDS.items()}
"""Words by language."""

_ONSETS = ("p", "b", "m", "f", "v", "p", "b", "m", "f", "v", "t", "d", "n", "l", "s", "k", "g", "r")
"""Beginnings of made-up syllables, mostly lip sounds, whose spelling means about the same in each language."""
_CODAS = ("", "", "", "", "n", "l", "r", "s", "m")
"""Ends of made-up syllables."""
_VOWELS = {"fi": "aeiouäöy", "de": "aeiouäöü", "sv": "aeiouåäö", "hu": "aeiouöüá", "tr": "aeiouöü"}
"""Vowels of languages that have more than a e i o u."""


def _nonsense(language: str, rng: np.random.Generator) -> str:
    vowels = _VOWELS.get(language, "aeiou")
    word = ""
    for _ in range(int(rng.integers(2, 5))):
        word += _ONSETS[int(rng.integers(len(_ONSETS)))] + vowels[int(rng.integers(len(vowels)))]
    return word + (_CODAS[int(rng.integers(len(_CODAS)))] if language != "fi" else "")


def foreign_sentence(language: str, rng: np.random.Generator) -> str:
    """Make a phrase of 2 to 12 words of a language; one word in five is nonsense syllables.

    Args:
        language: one of `OTHER_LANGUAGES`.
        rng: the only source of chance.
    """
    words = _LISTS[language]
    count = int(rng.integers(2, 13))
    chosen: list[str] = []
    for position in range(count):
        if rng.random() < 0.2:
            chosen.append(_nonsense(language, rng))
        else:
            chosen.append(words[int(rng.integers(len(words)))])
        if 0 < position < count - 1 and rng.random() < 0.12:
            chosen[-1] += ","
    text = " ".join(chosen)
    return text[0].upper() + text[1:] + (".", ".", ".", "?", "!")[int(rng.integers(5))]
