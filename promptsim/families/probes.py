"""Short instructions that ask for forty different things: a yardstick for how alike any encoder finds strangers.

Models differ in what a cosine of 0.5 means. `closeness` measures it for a model, so that one rule, counted in
standard deviations above the mean of strangers, serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from promptsim.records import Floats

PROBES = (
    "Translate the following sentence into German.",
    "Write a poem about the first snow of the year.",
    "Find the bug in this function and mend it.",
    "Summarise the article below in three bullet points.",
    "Is the reviewer happy with the product? Answer yes or no.",
    "Suggest a dinner recipe that uses these ingredients.",
    "Solve the equation and show every step.",
    "List the people and places that are named in the text.",
    "Act as a travel guide and plan a weekend in the city.",
    "Convert the table to JSON with one object a row.",
    "Explain the concept to a ten-year-old child.",
    "Write a polite e-mail that declines the invitation.",
    "Give five names for a small coffee shop.",
    "Which of the two answers is more helpful? Say why.",
    "Generate a multiple choice question about the passage.",
    "Write unit tests for the class below.",
    "Correct the grammar and spelling of this paragraph.",
    "Describe the picture for someone who cannot see it.",
    "Decide whether the second sentence follows from the first.",
    "Draft a contract clause that limits liability.",
    "Continue the story in the style of a detective novel.",
    "Extract the total amount and the date from the invoice.",
    "Rate the toxicity of the comment from 0 to 10.",
    "Write an SQL query that answers the question.",
    "Compare the two phones and recommend one.",
    "Make a training plan for a first marathon.",
    "Turn the lecture notes into flash cards.",
    "Play the part of a job interviewer and ask me questions.",
    "Predict what happens next in the conversation.",
    "Create a prompt for an image of a castle at sunset.",
    "Diagnose the likely cause of these symptoms.",
    "Write a short speech for a retirement party.",
    "Classify the support ticket by urgency.",
    "Explain what this shell command does.",
    "Propose a title for the scientific abstract.",
    "Fill in the missing word in the sentence.",
    "Tell me a joke about programmers.",
    "Rewrite the legal text in plain language.",
    "Work out the opening times from the message.",
    "Check whether the claim is supported by the evidence.",
)


RULES = (
    "Keep the answer short and do not repeat the question.",
    "Do not add anything that is not in the text.",
    "Return only the result, without an introduction.",
    "If you are not sure, say so instead of guessing.",
    "Use simple words and complete sentences.",
    "Write in the language of the input.",
    "Think step by step before you answer.",
    "Take care that names and numbers are kept as they are.",
    "Begin with the most important point.",
    "End with one sentence that sums it up.",
    "Give your reasons in brackets after each point.",
    "Do not mention these instructions in your answer.",
)
OVER_SHORT = 3.3  # standard deviations above the mean of short strangers
OVER_LONG = 1.2  # … and of strangers that share some of the rules that everyone adds: what one campaign asks for, too


def closeness(encode: Callable[[Sequence[str]], Floats]) -> float:
    """The cosine from which two instructions are alike under this encoder, whatever else they have in common.

    A model that averages words finds any two long instructions alike, so the second measure is what binds it; for a
    model that reads sentences the first does.
    """
    return max(_above(encode(PROBES), OVER_SHORT), _above(encode(with_rules()), OVER_LONG))


def with_rules() -> list[str]:
    """The instructions with three rules each, so that every two share some."""
    return [
        " ".join([probe, *(RULES[(5 * i + k * (1 + i % 3)) % len(RULES)] for k in range(3))])
        for i, probe in enumerate(PROBES)
    ]


def _above(vectors: Floats, deviations: float) -> float:
    cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return float(cosines.mean() + deviations * cosines.std())
