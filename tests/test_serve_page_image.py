"""Where a quote stands on its page: whole, in pieces, or nowhere that could be told in time."""

from serve.page_image import find, fold


def test_a_quote_is_found_whole_by_occurrence_or_in_its_long_pieces() -> None:
    page = fold("Oil charge 19 L. Wait four minutes before opening. Oil charge 19 L.")
    quote = fold("Oil charge: 19 L")
    assert [page[a:b] for a, b in find(page, quote)] == [quote]
    assert find(page, quote, 1)[0][0] > find(page, quote)[0][0]
    moved = fold("before opening wait four minutes")
    assert fold("wait four minutes") in {page[a:b] for a, b in find(page, moved)}
    assert find(page, "") == []


def test_a_page_of_absurd_length_is_not_compared() -> None:
    assert find("ab" * 200_000, "limit5bar" * 700) == []
