"""The segment builder: a definition's text is the state, and what a page shows of it is worked out anew from the text.

A page sends the text, a place in its tree and what to do there; the answer is the new text. So text and tree can't
disagree, undoing is going back to an earlier text, and each part of the language is an operation on its tree.
"""
