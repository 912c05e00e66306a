"""From examples to a model that is to be believed: learners tried on past cut-offs, corrected and measured."""
