"""English words that say little alone: our own list, for filters that the papers describe without giving one."""

from __future__ import annotations

_TEXT = """
a an the this that these those such same other another each every either neither both all any some no none few many
much more most several own
i me my mine myself you your yours yourself he him his himself she her hers herself it its itself we us our ours
ourselves they them their theirs themselves one ones who whom whose which what someone anyone everyone something
anything everything nothing nobody somebody anybody everybody
and or but nor so yet for if then else than because since while though although unless until whether as when where
why how whenever wherever
of in on at by to from with without within into onto upon over under above below between among through during before
after about against across along around behind beside besides beyond down off out up near toward towards per via
be am is are was were been being do does did done doing have has had having will would shall should can could may
might must ought go goes going went gone get gets getting got let
not never ever also too very just only even still again already always often once here there now soon rather quite
almost well back away together maybe perhaps
ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't shouldn't wasn't weren't won't wouldn't
i'm i've i'll i'd you're you've you'll you'd he's he'll he'd she's she'll she'd it's it'll we're we've we'll we'd
they're they've they'll they'd that's there's what's who's let's
s t d ll m re ve
"""
STOP_WORDS = frozenset(_TEXT.split())
"""Determiners, pronouns, conjunctions, prepositions, auxiliaries, adverbs of degree and place, contractions."""
