"""Published experiments on synthetic cells, again, on the user's own labelled cells.

``ratio`` asks how many synthetic cells a real one is worth, ``protocol`` what test
folds that hold synthetic cells pretend, ``regenerate`` what drawing until a classifier
agrees brings, and ``time`` whether to spend a minute on vectors or on pictures.
"""
