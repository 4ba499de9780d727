"""Writes the golden values of text metrics' packages; README.md beside it names the environment."""

from importlib.metadata import version
from pathlib import Path

import jiwer
import nltk
import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

PEERS = ("jiwer", "nltk", "rouge_score", "sacrebleu")
LENGTH, REFERENCES, PADDING = 12, 3, 0


def sentences():
    """References with words of 8, predictions that share much with them; padded with 0."""
    rng = np.random.default_rng(31)
    references, predictions = [], []
    for _ in range(10):
        first = rng.integers(1, 9, rng.integers(3, LENGTH + 1))
        others = [
            np.where(rng.random(n) < 0.3, rng.integers(1, 9, n), first[:n])
            for n in rng.integers(2, len(first) + 1, 2)
        ]
        noisy = np.where(rng.random(len(first)) < 0.25, rng.integers(1, 9, len(first)), first)
        references.append([first, *others])
        predictions.append(np.delete(noisy, rng.integers(0, len(noisy), 1)))
    return references, predictions


def padded(sentence):
    return np.pad(sentence, (0, LENGTH - len(sentence)), constant_values=PADDING)


def text(sentence):
    return " ".join(f"w{token}" for token in sentence)


def values(references, predictions):
    first, several = [[text(r[0])] for r in references], [[text(s) for s in r] for r in references]
    texts = [text(p) for p in predictions]
    for count, refs in ((1, first), (REFERENCES, several)):
        for peers, ours in (("none", "None"), ("add-k", "add_one"), ("exp", "exp")):
            options = {"smooth_value": 1} if peers == "add-k" else {}
            bleu = BLEU(tokenize="none", smooth_method=peers, **options)
            for size in (len(texts), 1):
                score = bleu.corpus_score(texts[:size], list(zip(*refs[:size], strict=True)))
                yield f"sacrebleu_{ours}_{count}_{size}", score.score / 100
        rouge = RougeScorer(["rouge1", "rouge2", "rougeL"])
        for name in ("rouge1", "rouge2", "rougeL"):
            scores = [
                [rouge.score(one, t)[name] for one in r] for r, t in zip(refs, texts, strict=True)
            ]
            if count == 1:
                yield f"{name}_precision", np.mean([s.precision for (s,) in scores])
                yield f"{name}_recall", np.mean([s.recall for (s,) in scores])
            yield f"{name}_f1_{count}", np.mean([max(s.fmeasure for s in each) for each in scores])
    yield "wer", jiwer.wer([r[0] for r in first], texts)
    pairs = zip(references, predictions, strict=True)
    yield "edit_distance", [nltk.edit_distance(list(p), list(r[0])) for r, p in pairs]


if __name__ == "__main__":
    references, predictions = sentences()
    np.savez_compressed(
        Path(__file__).parent / "text_metrics.npz",
        peer=np.array(", ".join(f"{name} {version(name)}" for name in PEERS)),
        references=np.array([[padded(s) for s in r] for r in references], "int32"),
        predictions=np.array([padded(p) for p in predictions], "int32"),
        **dict(values(references, predictions)),
    )
