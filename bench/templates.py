"""Sample files to many different bodies: fields dropped, repeated and filled by chance, from a seed.

A sample (`bench/samples/*.json`) is a message with four conventions. A key that ends in `?` is there in about every
second body; one that ends in `*` is a list, made again as one to three of its elements; `{a|b}` in a string is one of
a and b; `{word}`, and any other name in `POOLS`, is made up. A string that is just `{#lat}`, or another name in
`NUMBERS`, becomes a number.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

SAMPLES: Final = Path(__file__).parent / "samples"
DROP_SHARE: Final = 0.47
REPEATS: Final = (1, 1, 1, 2, 2, 3)
"""How often a repeated element comes; three at most, which is the smallest limit in the models."""

_FIRST: Final = ("Zoé", "Noël", "Inès", "Maël", "Chloé", "Hélène", "Gaëtan", "Léa", "Yanis", "Anouk", "Tarek", "Odile")
_LAST: Final = ("Lefèvre", "N'Guyen", "Béranger", "Da Silva", "Kermarrec", "O'Brien", "Ouattara", "Müller", "Tissot")
_STREETS: Final = (
    "rue de l'Écluse", "quai des Brumes", "allée des Tilleuls", "boulevard du Général-Custine", "chemin du Vieux-Four",
    "place de la Halle-aux-Blés", "route départementale 906", "impasse Sainte-Odile", "avenue de la Résistance",
)  # fmt: skip
_CITIES: Final = ("Arvent", "Saint-Lô", "Besançon", "Mâcon", "L'Haÿ-les-Roses", "Cosne", "Épinal", "Quimper", "Sète")
_PHRASES: Final = (
    "Accès par la cour, le portail est fermé à clé.",
    "L'appelant a raccroché avant la fin ; rappel sans réponse.",
    "Deux personnes sont encore à l'intérieur d'après le voisin.",
    "La patiente est consciente, elle répond, elle a froid.",
    'Ne pas utiliser l\'ascenseur "B", il est en panne depuis hier.',
    "Le véhicule est sur le toit, moteur éteint, fuite d'essence possible.",
    "Traitement anticoagulant signalé par la famille.",
    "Vent fort, visibilité < 100 m, chaussée verglacée.",
    "Chien attaché à l'entrée, le gardien attend sur le trottoir.",
    "Température relevée : 39,4 °C à 02 h 15.",
    "Le médecin traitant a été prévenu et se rend sur place.",
    "Dossier transmis pour information, aucune demande de moyens.",
)
_INJURIES: Final = (
    "fracture fermée de l'avant-bras", "plaie du cuir chevelu", "douleur thoracique qui irradie", "brûlures des mains",
    "malaise, pâleur, sueurs", "trouble de la parole depuis 20 min", "entorse du genou", "gêne respiratoire modérée",
)  # fmt: skip
_ORGS: Final = ("fr.health.samu21a", "fr.health.samu58b", "fr.fire.nexsis.sdis-71x", "fr.health.samu25c")
_CONSONANTS, _VOWELS = "bcdfgjlmnprstvz", "aeiou"


def _digits(chance: Random, count: int) -> str:
    return str(chance.randrange(10 ** (count - 1), 10**count))


def _uuid(chance: Random) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _word(chance: Random) -> str:
    return "".join(chance.choice(_CONSONANTS) + chance.choice(_VOWELS) for _ in range(chance.randint(2, 4)))


def _time(chance: Random) -> str:
    month, day, zone = chance.randint(1, 9), chance.randint(1, 28), chance.randint(1, 2)
    hour, minute, second = chance.randrange(24), chance.randrange(60), chance.randrange(60)
    return f"2026-0{month}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}+0{zone}:00"


POOLS: Final[Mapping[str, Callable[[Random], str]]] = {
    "first": lambda chance: chance.choice(_FIRST),
    "last": lambda chance: chance.choice(_LAST),
    "person": lambda chance: f"{chance.choice(_FIRST)} {chance.choice(_LAST)}",
    "street": lambda chance: chance.choice(_STREETS),
    "city": lambda chance: chance.choice(_CITIES),
    "phrase": lambda chance: chance.choice(_PHRASES),
    "injury": lambda chance: chance.choice(_INJURIES),
    "org": lambda chance: chance.choice(_ORGS),
    "case": lambda chance: f"{chance.choice(_ORGS)}.DR{_digits(chance, 14)}",
    "word": _word,
    "uuid": _uuid,
    "time": _time,
    "phone": lambda chance: f"+33{_digits(chance, 9)}",
    "hex40": lambda chance: f"{chance.getrandbits(160):040x}",
    "age": lambda chance: str(chance.randint(1, 99)),
    "floor": lambda chance: str(chance.randint(1, 12)),
    "number": lambda chance: str(chance.randint(1, 180)),
    "digit": lambda chance: _digits(chance, 1).replace("0", "1"),
    **{f"digits{count}": lambda chance, count=count: _digits(chance, count) for count in (2, 4, 5, 8, 9, 14)},  # type: ignore[misc]
}
NUMBERS: Final[Mapping[str, Callable[[Random], float]]] = {
    "lat": lambda chance: round(chance.uniform(43.0, 50.0), chance.randint(3, 7)),
    "lon": lambda chance: round(chance.uniform(-4.0, 7.5), chance.randint(3, 7)),
    "height": lambda chance: chance.randint(0, 2400),
    "heading": lambda chance: chance.randrange(360),
    "speed": lambda chance: chance.randrange(130),
    "size": lambda chance: chance.randint(10_000, 4_000_000),
    "weight": lambda chance: round(chance.uniform(3, 130), 1),
    "tall": lambda chance: chance.randint(50, 200),
    "code": lambda chance: chance.choice((700, 701, 703, 704)),
}
_PLACE: Final = re.compile(r"\{([^{}]+)\}")


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sample file. `header`: whether the message carries the RC-DE fields."""

    model: str
    kind: str
    header: bool
    message: dict[str, Any]


def load_samples(folder: Path = SAMPLES) -> dict[str, Sample]:
    """All samples by file name without suffix, sorted. Raises ValueError naming a broken file."""
    samples = {}
    for path in sorted(folder.glob("*.json")):
        try:
            samples[path.stem] = msgspec.json.decode(path.read_bytes(), type=Sample)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path.name}: {error}") from error
    return samples


def fill(value: Any, chance: Random) -> Any:
    """One body out of a sample: the same structure with its conventions resolved."""
    if isinstance(value, dict):
        return dict(_fill_fields(value, chance))
    if isinstance(value, list):
        return [fill(element, chance) for element in value]
    if isinstance(value, str):
        return _fill_text(value, chance)
    return value


def _fill_fields(fields: dict[str, Any], chance: Random) -> Any:
    for name, value in fields.items():
        if name.endswith("?"):
            if chance.random() >= DROP_SHARE:
                yield name[:-1], fill(value, chance)
        elif name.endswith("*"):
            yield name[:-1], [fill(chance.choice(value), chance) for _ in range(chance.choice(REPEATS))]
        else:
            yield name, fill(value, chance)


def _fill_text(text: str, chance: Random) -> str | float:
    if text.startswith("{#"):
        return NUMBERS[text[2:-1]](chance)
    return _PLACE.sub(lambda match: _resolve(match[1], chance), text)


def _resolve(place: str, chance: Random) -> str:
    return chance.choice(place.split("|")) if "|" in place else POOLS[place](chance)
