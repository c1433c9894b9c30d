"""The tokenizer of the tiny LLaMA that `templates.training.tiny_llama` writes."""
