"""Fine-tuning: a backbone, or a part of it, and a head are trained on the images."""
