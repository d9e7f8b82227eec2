"""Evidence: how well the hits cover what the question asks, 0 to 1. Under the profile's threshold the model is not asked."""

from collections.abc import Callable, Sequence

from corpora import Profile
from ingest.language import language
from ingest.schema import Hit
from ingest.tokens import exact_tokens, fold, is_cjk, tokens
from serve.question import asked_words, asks_for
from serve.reading import reading
from serve.wording import pairs

# Of a question's words, of Chinese ones its pairs of characters: single ones are everywhere, and a pair is broken by every other
# wording. Of the shipped assistants' answerable `seen` questions 6 in a hundred have less in English, none in Chinese.
ENOUGH = {"en": 0.4, "zh": 0.1}
LONG = 60  # characters; a shorter text may say the same of two things
RARE = 3.0  # weight of a token that about one chunk in twenty holds


def distinct(hits: Sequence[Hit]) -> list[Hit]:
    """The hits without those that say word for word what a better one says; rows of tables and other short texts all stay."""
    seen: set[str] = set()
    kept = []
    for hit in hits:
        words = "".join(fold(hit.chunk.text).casefold().split())
        if words not in seen:
            kept.append(hit)
        if len(words) >= LONG:
            seen.add(words)
    return kept


def about(question: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits that hold a code or clause number the question asks for; all of them where none does, or none is asked for.

    What holds for one machine is no answer for another, however alike the sentences are.
    """
    codes = exact_tokens(question)
    named = [h for h in hits if codes & set(tokens(f"{h.chunk.context}\n{h.chunk.text}"))]
    return named or list(hits)


def strays(question: str, sentence: str, spans: str) -> bool:
    """Does `sentence` speak of another machine or clause by its code, and nothing that it stands on of the one asked for?"""
    asked, said = exact_tokens(question), exact_tokens(sentence)
    return bool(asked and said and not asked & said and not asked & set(tokens(spans)))


def unfounded(question: str, sentence: str, spans: str) -> bool:
    """Have the spans less than half of what `sentence` says beyond the question, and no figure of it? Asked words prove nothing.

    To a question for something, which asks no yes or no, a sentence that says nothing beyond it is no answer.
    """
    asked, said, has = reading(question), reading(sentence), reading(spans)
    new = [term for term in said.terms if not asked.has(term)]
    if not new and not said.figures and asks_for(question):
        return True
    figures = {(q.value, q.dimension) for q in said.figures} & {(q.value, q.dimension) for q in has.figures}
    return not figures and sum(map(has.has, new)) < len(new) / 2


def beside_the_point(question: str, sentence: str, spans: str) -> bool:
    """Has neither the sentence nor what it stands on a word of the question? A heading copied from a passage answers nothing."""
    asked, text = reading(question), reading(f"{sentence}\n{spans}")
    if language(question) != language(spans) or not asked.terms:
        return False
    if language(question) == "zh":
        return not pairs(question) & pairs(text.text)
    return not any(text.has(term) for term in asked.terms)


def evidence(question: str, hits: Sequence[Hit], weigh: Callable[[str], float]) -> float:
    """The share of the question's words, by weight, that all hits together have; 0 where a code asked for is nowhere.

    A code or clause number that no hit has means that the documents are silent, however near the rest is. How near a vector is says
    little here, for the nearest passage of another subject is near too; it counts where a passage of another language shares no words.
    """
    if not hits:
        return 0.0
    has = [set(tokens(h.chunk.embedded)) for h in hits]
    everywhere = set().union(*has)
    codes = exact_tokens(question)
    if codes and not any(code in everywhere for code in codes):
        return 0.0
    if any(code in has[0] and weigh(code) >= RARE for code in codes):
        return 1.0  # the thing itself was asked for by name, and here it is
    asked = asked_words(question)
    asked = {word for word in asked if len(word) > 1 or not is_cjk(word)} or asked
    covered = sum(weigh(t) for t in asked & everywhere) / (sum(map(weigh, asked)) or 1.0)
    lang = language(question)
    return max([covered, *(h.dense for h in hits if h.dense and language(h.chunk.text) != lang)])


def enough(profile: Profile, lang: str) -> float:
    """The evidence under which this assistant refuses: as its profile says, else what suits the question's language."""
    return ENOUGH[lang] if profile.serve.refuse_below is None else profile.serve.refuse_below
