"""Made-up words with definitions and a sentence each: can a model use a word that it has just been told?

GPT-3 report, §3.9.5: the definition of a word that does not exist, after one to five others that were used in a
sentence. Words, definitions and sentences here are ours.
"""

from __future__ import annotations

from presage.core.seeds import stream
from presage.tasks.task import Example

_TEXT = """
brindlet|a small lantern that fishermen hang on a net|By midnight every brindlet along the shore had gone out.
fomper|to walk quickly while carrying too many bags|We watched him fomper across the station with six parcels.
quisp|the thin layer of ice on a bucket of water|She broke the quisp with one finger and filled the kettle.
tarvane|a strong wind that blows only at dawn|The tarvane tore two tiles off the barn before we had breakfast.
mollock|a heavy soup of beans and turnips|After the hike there was nothing better than a bowl of mollock.
spendle|to fall asleep while reading aloud|My grandfather would always spendle before the dragon was found.
garrowick|a fence made of old doors|Behind the mill they had put up a garrowick to keep out the goats.
plinnet|a coin that has been worn smooth|He paid for the apple with a plinnet and hoped nobody would look.
dralk|the sound of wet boots on a stone floor|The dralk in the hallway told us that Father was home.
ostrum|a village meeting held in a boat|At the last ostrum they decided to paint the bridge green.
wimber|to hum a tune that one has forgotten the words of|The baker likes to wimber while the bread is rising.
klester|a tool for taking stones out of cherries|Pass me the klester, or we shall be here until evening.
hoverly|a bench that stands under a tree|They sat on the hoverly until the rain had passed.
nabbish|too polite to be trusted|His nabbish letter made the judge suspicious.
trundock|a cart with only one wheel and no handles|It took four of us to move the trundock up the hill.
vessop|to dry something by waving it in the air|Please vessop the photograph before you put it in the album.
blenwick|a day on which nothing is delivered|On a blenwick the postman repairs his bicycle.
corrant|the last guest to leave a party|As usual my uncle was the corrant, and washed the glasses.
snaffet|a short scarf worn by sailors|The captain lost his snaffet in the storm.
dimmery|a room with a single very small window|The monks kept their honey in the dimmery.
jolloch|a bridge of ropes between two houses|Only the children dared to cross the jolloch at night.
perrit|to count money without touching it|The old clerk could perrit a full drawer in a minute.
thessle|a flower that opens only in fog|In November the hills are white with thessle.
umberlot|a share of a harvest given to a neighbour|We sent the umberlot over before the first snow.
"""


def novel_words(seed: int, count: int, split: str) -> list[Example]:
    """Examples of these words; the ones that shots are made of are never asked. The target is the word."""
    rows = [line.split("|") for line in _TEXT.strip().split("\n")]
    order = stream(seed, "novel words").permutation(len(rows))
    half = len(rows) // 2
    chosen = order[:half] if split == "test" else order[half:]
    return [_example(*rows[place]) for place in sorted(chosen[:count])]


def _example(word: str, definition: str, sentence: str) -> Example:
    kind = "verb" if definition.startswith("to ") else "other"
    fields = {"definition": definition, "sentence": sentence}
    return Example(word, f'"{word}" means {definition}.', targets=(word,), category=kind, fields=fields)
