"""Fine-tuning: a backbone, or some of it, is trained together with a head, on the images."""
