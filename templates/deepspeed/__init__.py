"""DeepSpeed configs, one per ZeRO stage, and the published recipe's."""
