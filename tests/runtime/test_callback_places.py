"""Who may begin a post, and in which order: no sender and no slow receiver shuts out another."""

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.runtime.callback_places import (
    MAX_POSTS_PER_CALLBACK,
    MAX_POSTS_PER_KIND,
    SLOW_SECONDS,
    CallbackPlaces,
)
from worker.runtime.callback_rounds import MAX_TURNS_PER_LOOK, CallbackRounds
from worker.store.feedback.callback_turns import CallbackTurn

NEWCOMER = 10**6
#: What a sender holds at the most while nobody else holds anything: a fifth, rounded up.
SHARE_OF_ONE_SENDER = -(-MAX_POSTS_PER_KIND // 5)


def fill(places: CallbackPlaces, callbacks: range, sender: str) -> int:
    """Begin posts for a sender's callbacks until none has room; return how many began."""
    began = 0
    for callback_id in callbacks:
        room = places.room(callback_id, sender)
        for _ in range(room):
            places.take(callback_id, sender)
        began += room
    return began


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 100))
def test_whoever_comes_next_finds_a_place_while_a_dozen_senders_take_all_they_can(
    senders: int, callbacks: int
) -> None:
    places = CallbackPlaces()
    for sender in range(senders):
        first = sender * callbacks
        fill(places, range(first, first + callbacks), f"sender {sender}")
    assert places.room(NEWCOMER, "newcomer") >= 1


def test_the_first_place_that_is_free_again_is_the_newcomers() -> None:
    """However many senders hang: none of those that hold a place has room before it."""
    places, held = CallbackPlaces(), []
    for callback_id in range(MAX_POSTS_PER_KIND):
        assert places.room(callback_id, f"sender {callback_id}")
        held.append(places.take(callback_id, f"sender {callback_id}"))
    assert places.room(NEWCOMER, "newcomer") == 0
    places.release(held[0])
    assert {places.room(place.callback_id, place.sender) for place in held[1:]} == {0}
    assert places.room(NEWCOMER, "newcomer") == 1


def test_one_sender_holds_a_fifth_of_the_places() -> None:
    assert fill(CallbackPlaces(), range(60), "alice") == SHARE_OF_ONE_SENDER


def test_one_callback_holds_so_many_places_and_no_more() -> None:
    places = CallbackPlaces()
    assert fill(places, range(1), "alice") == MAX_POSTS_PER_CALLBACK
    assert places.room(0, "alice") == 0


def test_slow_receivers_take_no_place_from_others_of_their_own_sender() -> None:
    places = CallbackPlaces()
    for callback_id in range(200):
        place = places.take(callback_id, "alice")
        places.note_pace(place, SLOW_SECONDS * 2)
        places.release(place)
    assert fill(places, range(200), "alice") == SHARE_OF_ONE_SENDER
    assert places.room(NEWCOMER, "alice") == MAX_POSTS_PER_CALLBACK


def test_a_receiver_that_answers_at_once_is_slow_no_more() -> None:
    places = CallbackPlaces()
    place = places.take(1, "alice")
    places.note_pace(place, SLOW_SECONDS * 2)
    again = places.take(1, "alice")
    assert again.slow
    places.note_pace(again, 0.0)
    assert not places.take(1, "alice").slow


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from("abc"), st.floats(0, 3)), max_size=80))
def test_places_that_are_given_back_are_free(posts: list[tuple[int, str, float]]) -> None:
    places = CallbackPlaces()
    before = places.room(NEWCOMER, "newcomer")
    taken = [(places.take(callback_id, sender), seconds) for callback_id, sender, seconds in posts]
    for place, seconds in taken:
        places.note_pace(place, seconds)
        places.release(place)
    assert places.room(NEWCOMER, "newcomer") == before
    assert not places.is_full()


def rounds_until_all_served(count: int, served_a_look: int) -> int:
    """Serve so many callbacks with each look, in the order of the rounds, until all were served."""
    rounds, served, looks = CallbackRounds(), set[int](), 0
    while len(served) < count:
        ids = range(rounds.position + 1, count + 1)[:MAX_TURNS_PER_LOOK]
        turns = [CallbackTurn(callback_id, "alice", is_due=True) for callback_id in ids]
        taken = rounds.in_order(turns)[:served_a_look]
        for turn in taken:
            rounds.note_served(turn.callback_id)
        served |= {turn.callback_id for turn in taken}
        rounds.move_on(turns, fruitful=bool(taken))
        looks += 1
    return looks


@settings(deadline=None)
@given(st.integers(1, 900), st.integers(1, 200))
def test_each_callback_has_its_turn_whatever_waits(count: int, served_a_look: int) -> None:
    """Nobody is served twice in a part of a round before all of that part were served once."""
    parts = count // MAX_TURNS_PER_LOOK + 1
    looks_for_a_part = -(-min(count, MAX_TURNS_PER_LOOK) // served_a_look)
    assert rounds_until_all_served(count, served_a_look) <= parts * looks_for_a_part


@settings(deadline=None)
@given(st.integers(0, 900), st.integers(0, 900))
def test_a_round_that_serves_nobody_comes_to_its_end(count: int, position: int) -> None:
    """It has asked every callback then, wherever it began."""
    rounds, asked, looks = CallbackRounds(), set[int](), 0
    rounds.position = position
    while True:
        ids = range(rounds.position + 1, count + 1)[:MAX_TURNS_PER_LOOK]
        asked |= set(ids)
        turns = [CallbackTurn(callback_id, "alice", is_due=True) for callback_id in ids]
        looks += 1
        if not rounds.move_on(turns, fruitful=False):
            break
    assert asked == set(range(1, count + 1))
    assert looks <= 2 * (count // MAX_TURNS_PER_LOOK + 1) + 1
