"""Words of the report, for readers who have read nothing else."""

GLOSSARY = {
    "attempt": "One try of an evaluation on one worker.",
    "average precision (AP)": "Area under the precision-recall curve of a class; 1 at best.",
    "baseline": "A recipe that somebody gave, to compare with in place of the default.",
    "bracket": "One round of successive halving: many trials start small, few end large.",
    "budget": "Epochs of training in total; a promoted trial goes on from its checkpoint.",
    "candidate": "One of the search's best configurations, which take part in the runoff.",
    "collapsed": (
        "The network gave the same answer for every image and learnt nothing more; its training"
        " ends, and its true loss, a bad one, counts."
    ),
    "configuration": "One value for every hyperparameter of the search space.",
    "default": "The configuration one would take without a search; always evaluated first.",
    "Dice": "Twice the overlap of prediction and truth, divided by the sum of both; 1 at best.",
    "diverged": "The loss became infinite or not a number; counts as a bad configuration.",
    "epoch": "One pass over all training patches.",
    "evaluation": "One trial trained to one budget and scored on the validation part.",
    "incumbent": (
        "The configuration that leads: the one with the lowest loss at the largest budget reached"
        " so far and, after a runoff, the winner. The final comparison retrains it beside the"
        " default."
    ),
    "interval": (
        "Range of differences that the retrainings leave possible. That of 95 % is wide enough to"
        " hold the true difference at all looks together in 95 of 100 such comparisons."
    ),
    "IoU, mIoU": "Overlap of prediction and truth divided by their union; its mean over classes.",
    "late": "Nobody waited for the attempt's result any more, so it was given up or dropped.",
    "loss": (
        "The number that the search minimises: the run's objective on the whole validation part, by"
        " default one minus the mean Dice of the classes plus the mean focal loss."
    ),
    "lost": "The worker vanished while it worked; the evaluation is given to another one.",
    "micro average": "All (pixel, class) pairs taken together; frequent classes weigh more.",
    "micro-batch": (
        "As many patches of a batch as fit into memory. The gradients of the parts are added up, so"
        " the step is that of the whole batch."
    ),
    "model-based pick": "A configuration that the optimizer's model expected to be good.",
    "patch": "A square piece of an image, the input of the network.",
    "patience": "Number of epochs without a lower validation loss after which a retraining ends.",
    "precision": "Share of the pixels named as a class that are right.",
    "promoted": "Allowed to go on to the next larger budget.",
    "rank correlation": "1 if two orders are the same, 0 if unrelated, -1 if opposite (Spearman).",
    "recall": "Share of the pixels of a class that are found.",
    "rung": "All trials of a bracket at one budget.",
    "runoff": "The search's best few are trained again with further seeds; the lowest mean wins.",
    "seed": "The start of all random numbers of a training; same seed, same initial network.",
    "train, validation, test": (
        "Three parts of the images: the first to learn from, the second to choose by, the third"
        " kept for one look at the end."
    ),
    "trial": "A configuration being tried, named bracket-rung-number.",
    "trivial patch": "A patch that is mostly of one class; it tells little about a model.",
    "worker": "A process that trains; there may be many, on many machines.",
}
"""One explanation for each word, in alphabetical order."""
