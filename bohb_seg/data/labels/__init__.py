"""Labels of an image from whatever a data set has: masks, shapes, one mask for each class.

:class:`~bohb_seg.data.label_source.LabelSource` is the one interface; ``finding`` finds the
sources of a folder without masks. Labels are read by rows, so memory does not grow with the image.
"""
