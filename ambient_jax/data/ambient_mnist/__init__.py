"""A TFDS builder of MNIST that needs no TensorFlow."""
