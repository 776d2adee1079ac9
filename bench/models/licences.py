"""Says whose terms the training images of a task are under, for model cards."""

from __future__ import annotations

_AVATAAARS = "Avataaars by Pablo Stanley (avataaars.com, free for personal and commercial use)"
_TOONHEAD = "ToonHead by Johan Melin (CC BY 4.0)"
_PERSONAS = "Personas by Draftbit (CC BY 4.0)"
_DRAWN = "drawn by DiceBear (MIT)"
_TERMS = {
    "avatars": f"{_AVATAAARS}, {_DRAWN}.",
    "avatars-style": f"{_AVATAAARS} and a remix of {_TOONHEAD}, {_DRAWN}.",
    "avatars-styles3": f"{_AVATAAARS}, and remixes of {_TOONHEAD} and {_PERSONAS}, {_DRAWN}.",
    "digits": "The handwritten digits that come with scikit-learn, and digits drawn with the font "
    "that comes with Pillow. The terms of both packages apply.",
    "celeba": "Photographs of CelebA. Its agreement allows non-commercial research only.",
    "folder": "Images of the person who trained it. Only that person can say who may use the "
    "weights.",
}
_DATA_SETS = {"usps": "USPS", "mnist": "MNIST", "svhn": "SVHN"}


def terms_of(task: str) -> str:
    """Return whose terms the images of a task are under, one or two sentences.

    task: its name as in a record.
    """
    name = task.partition(":")[0]
    words = name.split("-")
    if all(word in _DATA_SETS for word in words):
        return f"{' and '.join(_DATA_SETS[word] for word in words)}. The terms of each apply."
    known = _TERMS.get(name) or _TERMS.get(words[0])
    return known or f"The suite does not know them: ask the author of the task `{name}`."
