"""Our training steps beside plain ones: the steps of the papers, written down literally.

A plain step does one thing after the other, as the specification says it: eager float32, the
layers and the Adam of torch, no shared passes, gradients wherever autograd makes them.
"""
