"""Short requests to an assistant: 150 intents in ten domains (CLINC150), as rows of hashed words and letter trigrams.

Ten classes fit into nine dimensions; 150 do not fit into eight or sixteen, which is where the paper's Figure 7 parts
Matryoshka training from SVD. The domains are the superclasses, and the 1,200 requests that belong to no intent are what
an assistant has to notice.
"""

from __future__ import annotations

import csv
import gzip
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.matryoshka.pictures import Part, Pictures
from experiments.matryoshka.shifts import shift_requests, synonyms
from imi.errors import DataError, UsageError
from imi.types import Floats

FILE, SYNONYMS = "queries/clinc150.tsv.gz", "wordnet/oewn_glosses.tsv.gz"
BINS = 1 << 12
"""Rows of the token table; row 0 is left for padding."""
OUTSIDE = "oos"

_DOMAINS: Mapping[str, str] = {
    "banking": "freeze_account routing pin_change bill_due pay_bill account_blocked interest_rate min_payment "
    "bill_balance transfer order_checks balance spending_history transactions report_fraud",
    "credit cards": "replacement_card_duration expiration_date damaged_card improve_credit_score report_lost_card "
    "card_declined credit_limit_change apr redeem_rewards credit_limit rewards_balance application_status "
    "credit_score new_card international_fees",
    "kitchen and dining": "food_last confirm_reservation how_busy ingredients_list calories nutrition_info recipe "
    "restaurant_reviews restaurant_reservation meal_suggestion restaurant_suggestion cancel_reservation "
    "ingredient_substitution cook_time accept_reservations",
    "home": "what_song play_music todo_list_update reminder reminder_update calendar_update order_status "
    "update_playlist shopping_list calendar next_song order todo_list shopping_list_update smart_home",
    "car and commute": "current_location oil_change_when oil_change_how uber traffic tire_pressure "
    "schedule_maintenance gas mpg distance directions last_maintenance gas_type tire_change jump_start",
    "travel": "plug_type travel_notification translate flight_status international_visa timezone exchange_rate "
    "travel_suggestion travel_alert vaccines lost_luggage book_flight book_hotel carry_on car_rental",
    "utility": "weather alarm date find_phone share_location timer make_call calculator definition "
    "measurement_conversion flip_coin spelling time roll_dice text",
    "work": "pto_request_status next_holiday insurance_change insurance meeting_schedule payday taxes income "
    "rollover_401k pto_balance pto_request w2 schedule_meeting direct_deposit pto_used",
    "small talk": "who_made_you meaning_of_life who_do_you_work_for do_you_have_pets what_are_your_hobbies fun_fact "
    "what_is_your_name where_are_you_from goodbye thank_you greeting tell_joke are_you_a_bot how_old_are_you "
    "what_can_i_ask_you",
    "the assistant": "change_speed user_name whisper_mode yes change_volume no change_language repeat change_accent "
    "cancel sync_device change_user_name change_ai_name reset_settings maybe",
}
DOMAIN_OF: Mapping[str, str] = {intent: domain for domain, intents in _DOMAINS.items() for intent in intents.split()}


def read_requests(data: Path, *, seed: int = 0, intents: Sequence[str] | None = None) -> Pictures:
    """Read the requests and split them 70 / 10 / 20, intent by intent; no text is in two parts.

    Args:
        data: the folder of public data sets.
        seed: of the split and of the shifted test requests.
        intents: some of the 150, to see what the number of classes does.

    Raises:
        UsageError: the requests are not there.
        DataError: an intent is not known.
    """
    if not (data / FILE).is_file():
        raise UsageError(f"{data / FILE} is not there", hint="python -m experiments.matryoshka digits needs no data")
    texts, names = _read(data / FILE)
    wanted = sorted(intents or DOMAIN_OF)
    unknown = sorted({*wanted, *names} - {*DOMAIN_OF, OUTSIDE})
    if unknown:
        raise DataError(f"{unknown[0]!r} is not one of the {len(DOMAIN_OF)} intents")
    random = np.random.default_rng(seed)
    parts: tuple[list[int], ...] = ([], [], [])
    for intent in wanted:
        rows = random.permutation([at for at, name in enumerate(names) if name == intent])
        cuts = round(0.7 * len(rows)), round(0.8 * len(rows))
        for part, some in zip(parts, np.split(rows, cuts), strict=True):
            part += some.tolist()
    label = {intent: at for at, intent in enumerate(wanted)}
    train, held, test = (
        Part(encode([texts[row] for row in rows]), np.array([label[names[row]] for row in rows])) for rows in parts
    )
    asked = [texts[row] for row in parts[2]]
    known = synonyms(data / SYNONYMS) if (data / SYNONYMS).is_file() else {}
    shifted = {name: Part(encode(changed), test.y) for name, changed in shift_requests(asked, known, seed=seed).items()}
    outside = encode([text for text, name in zip(texts, names, strict=True) if name == OUTSIDE])
    return Pictures(
        "intents",
        train,
        held,
        test,
        tuple(wanted),
        tuple(DOMAIN_OF[intent] for intent in wanted),
        shifted=shifted,
        outside=Part(outside, np.full(len(outside), -1, np.int64)),
        texts=tuple(asked),
    )


def _read(path: Path) -> tuple[list[str], list[str]]:
    """Return texts and intents, the same text only once."""
    first: dict[str, str] = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for text, intent in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            first.setdefault(plain(text), intent)
    return list(first), list(first.values())


def plain(text: str) -> str:
    """Return a text as it is hashed: width and case of letters make no difference."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def tokens(text: str) -> list[int]:
    """Return the table's rows for a text: its words and the trigrams of letters within them."""
    words = plain(text).split()
    parts = words + [f"<{word}>"[at : at + 3] for word in words for at in range(len(word))]
    return [1 + zlib.crc32(part.encode()) % (BINS - 1) for part in parts]


def encode(texts: Sequence[str]) -> Floats:
    """Return (n, longest) rows of the token table, filled up with 0."""
    rows = [tokens(text) for text in texts]
    out: NDArray[np.float32] = np.zeros((len(rows), max([1, *map(len, rows)])), np.float32)
    for line, row in zip(out, rows, strict=True):
        line[: len(row)] = row
    return out
