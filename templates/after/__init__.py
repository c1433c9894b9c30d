"""What follows training on the machine, or at home: answers, scores, and the model card."""
